"""The playground: composing songs in a browser, on one's own machine. It adds pages and limits to generate_song.py."""
