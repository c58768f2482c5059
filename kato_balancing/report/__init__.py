"""What a run of ``kato-lb`` found, as a document and as a page for people."""
