"""What a closed network or a laptop needs to run the product: tools, images, a stand-in."""
