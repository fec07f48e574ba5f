"""Every setting a user may want to change, grouped by stage. Each is also a flag of the stage that uses it."""

# Folders
DATA = "data"  # what stages 1 and 3 write
WEIGHTS = "weights"  # what stages 2 and 4 write
SONGS = "songs"  # what stage 5 writes
SEED = 0  # of every random draw

# 1  preprocess.py
SONG_FILES = []  # folders, files or patterns such as "essen/**/*.krn"; empty: data/essen, fetched when it is not there
JOBS = -1  # processes that read songs; -1: one for each core

# 2  train_lstm.py
EMBEDDING = 64  # numbers that stand for a note
UNITS = 512  # of each LSTM layer
LAYERS = 3  # LSTM layers
DENSE = 256  # units between the LSTM and its answer
DROPOUT = 0.3  # share of units left out between layers while training
EPOCHS = 24  # times the whole training part is read
BATCH = 64  # streams side by side
BPTT_LENGTH = 64  # notes read between two steps of the optimizer
WINDOWS_PER_STREAM = 4  # windows in a stream: 256 notes of one region, song after song
TRANSPOSE_PROBABILITY = 0.75  # share of songs moved to another key in the first epoch; it falls to 0 at the end
LEARNING_RATE = 2e-3  # Adam's, at its highest
WARMUP_STEPS = 100  # steps until the learning rate is at its highest
PRECISION = "mixed_bfloat16"  # arithmetic while training: mixed_bfloat16 or float32; all else is float32

# 3  generate_memories.py
REGIONS = ["china"]  # folders, file-name prefixes or patterns such as "asia/*"; several mean OR; none: all songs
MEMORIES = 3_000  # memories to keep
MEMORY_SONGS = 3  # random songs of the region that are read for a memory
MEMORY_NOTES = 96  # of these songs, the last entries, which are what is read
MID_SONG_FRACTION = 0.5  # share of memories that are taken somewhere within the last song, the others at its end

# 4  python -m vae.train
LATENT = 8  # dimensions of the latent space
MIXTURE = 16  # Gaussians that are fitted to the codes of all memories, to draw from
HIDDEN = [256, 64]  # units of the encoder's layers; the decoder's are the same, turned round
VAE_EPOCHS = 40  # times all memories are seen
VAE_BATCH = 128  # memories
VAE_LEARNING_RATE = 1e-3  # Adam's, at its highest
BETA = 8.0  # weight of the KL divergence: larger, and memories are drawn smoother and less varied

# 5  generate_song.py
COUNT = 8  # songs
TEMPERATURE = 1.0  # below 1 the network ventures less, above 1 more
GUIDANCE = 0.5  # how far the song is pushed from what the network composes without a memory; 0: not at all
LENGTH = 200  # notes a song has at most; it ends where the network ends it
NOTE_LENGTH = 1.0  # quarter notes a note lasts
TEMPO = 120  # quarter notes a minute
SOUND_FONT = None  # an .sf2 or .sf3 file for --wav and --play; None: the first in the system's usual places
INSTRUMENT = 73  # General MIDI program, 0 to 127; 73 is the flute
