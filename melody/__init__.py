"""What the stages share, one noun a file: songs, regions, pitches, the network, memories, and ways to hear them."""
