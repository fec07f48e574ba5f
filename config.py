"""Every setting, grouped by stage: a value and, behind it, what it means. Each is also a flag of the scripts that use
it; `--help` shows these comments. A new setting is a new line here and its name in the script that uses it."""

# Folders; a relative path starts from the folder of this file
DATA = "data"  # songs as arrays, their split, and memories
WEIGHTS = "weights"  # weights of the network and of the VAEs
SONGS = "songs"  # composed songs
RESULTS = "results"  # tables and figures of evaluate.py and the benchmarks
SEED = 0  # of all random numbers; the same seed gives the same result

# 1  preprocess.py
SONG_FILES = []  # folders, files or patterns such as "essen/**/*.krn"; none: data/essen, downloaded if missing
JOBS = -1  # processes that parse songs; -1: one per core

# 2  train_lstm.py
RHYTHM = True  # read and compose meter, rhythm and phrases; False: pitches alone (--pitch-only)
EMBEDDING = 64  # size of the embedding of a note
UNITS = 512  # units of each LSTM layer
LAYERS = 3  # LSTM layers
DENSE = 256  # units of the dense layer between the LSTM and the output
DROPOUT = 0.3  # fraction of units dropped between layers during training
EPOCHS = 36  # passes over the training songs
BATCH = 16  # streams in a batch
BPTT_LENGTH = 128  # notes per training step (truncated back-propagation through time)
WINDOWS_PER_STREAM = 2  # training steps per stream; 2 of 128 notes: about five songs
TRANSPOSE_PROBABILITY = 0.75  # probability that a song is transposed in the first epoch; falls linearly to 0
SYNTHETIC_PROBABILITY = 0.15  # fraction of streams whose songs are all changed in the same way, as of another tradition
AUXILIARY_WEIGHT = 4.0  # weight of the loss that asks the state what the songs before had in common; 0: none
LEARNING_RATE = 2e-3  # peak learning rate of Adam
WARMUP_STEPS = 100  # steps until the learning rate peaks
PRECISION = "auto"  # of training: mixed_bfloat16, float32, or what is faster on this machine; all else is float32

# 2  train_lstm.py --from weights: fine-tuning on songs of your own; what is not here is as above
FINE_TUNING_EPOCHS = 45  # passes over the songs of your own; for more than a hundred songs fewer do
FINE_TUNING_WINDOWS_PER_STREAM = 6  # training steps per stream; more songs begin after others than with 2
FINE_TUNING_LEARNING_RATE = 7e-4  # peak learning rate of Adam
FINE_TUNING_WARMUP_STEPS = 5  # steps until the learning rate peaks
FINE_TUNING_AUXILIARY_WEIGHT = 0.0  # weight of the auxiliary loss, whose layer begins anew; 0: none
FINE_TUNING_OWN_SHARE = 0.35  # fraction of the streams that are songs of your own; the others are of the collection

# 3  generate_memories.py
REGIONS = ["china"]  # folders, prefixes, patterns "asia/*", fields "genre=*Liebe*&key=d": any of them; none: all songs
MEMORIES = 6_000  # memories
MEMORY_SONGS = 3  # songs that the network reads for one memory
MEMORY_SIMILAR = 20  # most similar songs from which the others of a memory are drawn; 0: from all
MEMORY_NOTES = 160  # notes that it reads: the last ones of these songs
MID_SONG_FRACTION = 0.5  # fraction of memories that end within their last song; the others end with it
FIT_STEPS = 75  # steps of gradient descent that fit memories of songs of your own to these; 0: they are only read

# 4  python -m vae.train
LATENT = 32  # dimensions of the latent space
MIXTURE = 16  # Gaussians of the mixture that is fitted to the codes and sampled from
HIDDEN = [256, 128]  # units of the encoder's layers; the decoder has the same in reverse
VAE_EPOCHS = 40  # passes over the memories
VAE_BATCH = 128  # memories in a batch
VAE_LEARNING_RATE = 1e-3  # peak learning rate of Adam
BETA = 2.0  # weight of the KL divergence; larger: sampled memories vary less

# 5  generate_song.py
COUNT = 8  # songs
TEMPERATURE = 0.85  # of sampling notes; lower: more predictable notes, higher: less predictable
GUIDANCE = 0.5  # strength of the push away from what the network composes without a memory; 0: none
LENGTH = 200  # most notes of a song; the network usually ends it before
METERS = []  # time signatures to compose in, such as 3/4; several: any of them; none: the network chooses
KEY = None  # of the songs, such as G (major), d (minor) or B-: they are transposed; None: any
TEMPO = 120  # quarter notes per minute
SOUND_FONT = None  # .sf2 or .sf3 file for --wav and --play; None: the first in the system's usual folders
INSTRUMENT = "flute"  # General MIDI instrument: its name, or its program number from 0 to 127
