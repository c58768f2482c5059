"""Proofs that events in a cluster cost its clients nothing, or no more than they may."""
