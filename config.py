"""Every setting a user may want to change, grouped by stage. Each is also a flag of the stage that uses it."""

# Folders
DATA = "data"  # what stages 1 and 3 write
WEIGHTS = "weights"  # what stages 2 and 4 write
SONGS = "songs"  # what stage 5 writes
SEED = 0  # of every random draw

# 1  preprocess.py
SONG_FILES = []  # folders, files or patterns such as "essen/**/*.krn"; empty: data/essen, fetched when it is not there
JOBS = -1  # processes that read songs; -1: one for each core
