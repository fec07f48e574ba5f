"""What the stages share: songs and their formats, regions, vocabulary, network, memories, sound and scores."""
