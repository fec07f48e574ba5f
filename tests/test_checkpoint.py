"""A training run that is stopped wherever it writes, and resumed."""

import hashlib

import keras
import pytest
from tqdm import tqdm

from melody import atomic, checkpoint
from melody.errors import UserError
from melody.training_run import TrainingRun, same_command

EPOCHS = 2


class Killed(BaseException):
    """The process ends here."""


def model():
    keras.utils.clear_session()  # numbered layer names are in the files
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    network.compile(keras.optimizers.Adam(0.1), "mse")
    network.optimizer.build(network.trainable_variables)
    return network


def trained(folder, *, resume=False, overwrite=False, losses=(2.0, 1.0), seed=0, steps=1):
    """A run of two epochs; each adds 1 to the weights."""
    network = model()
    network.set_weights([weight * 0 + seed for weight in network.get_weights()])
    run = TrainingRun(
        folder,
        "net",
        model=network,
        eval_model=network,
        monitor="validation_loss",
        settings={"seed": seed},
        record={},
        command="train",
    )

    def epoch(number, on_step):
        network.set_weights([weight + 1 for weight in network.get_weights()])
        on_step({"loss": 1.0})
        return {"loss": float(number), "validation_loss": losses[number]}

    with run.lock():
        run.start(resume, overwrite)
        run.train(EPOCHS, steps, epoch, quiet=True)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
def moves(monkeypatch):
    """Let the process end before its k-th file is moved into place, k = `moves.left`; with 0, never."""
    monkeypatch.setattr("melody.training_run.training_curve", lambda *_: None)  # it takes its time
    move = atomic.os.replace

    def counted(*paths):
        counted.left -= 1
        if counted.left == 0:
            raise Killed
        move(*paths)

    counted.left = 0
    monkeypatch.setattr(atomic.os, "replace", counted)
    return counted


@pytest.mark.parametrize("losses", [(2.0, 1.0), pytest.param((1.0, 2.0), marks=pytest.mark.slow)])
@pytest.mark.parametrize("over", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_run_stopped_at_any_write_and_resumed_gives_the_same_files(tmp_path, moves, losses, over):
    """In an empty folder or over another run; four files an epoch, three if the weights are not better."""
    trained(tmp_path / "whole", losses=losses)
    wanted, stops = digests(tmp_path / "whole"), 0
    while True:
        folder, stops = tmp_path / str(stops), stops + 1
        if over:
            trained(folder, seed=9)
        moves.left = stops
        try:
            trained(folder, losses=losses, overwrite=over)
        except Killed:
            moves.left = 0
            try:
                trained(folder, losses=losses, resume=True)
            except UserError as problem:  # nothing of the new run was saved: the same command again
                assert "start with" in str(problem) or "was made with seed 9, now it is 0" in str(problem)
                trained(folder, losses=losses, overwrite=over)
        else:
            moves.left = 0
            assert stops == (8 if losses == (2.0, 1.0) else 7) + 1
            break
        assert digests(folder) == wanted


def test_existing_files_stay_if_an_epoch_cannot_be_saved(tmp_path, monkeypatch):
    trained(tmp_path, seed=9)
    before = digests(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("melody.training_run.write_weights", full)
    with pytest.raises(OSError, match="No space left"):
        trained(tmp_path, overwrite=True)
    assert digests(tmp_path) == before


def test_a_loss_that_is_not_a_number_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"epoch 1 ended with .*nan.*lower --learning-rate"):
        trained(tmp_path, losses=(float("nan"), 1.0))
    assert not list(tmp_path.iterdir())


def test_advice_names_only_what_works(tmp_path):
    """--resume needs a checkpoint, and --overwrite weights: neither error sends the user to the other."""
    with pytest.raises(UserError, match=r"cannot be resumed; start with: train$"):
        trained(tmp_path, resume=True)
    trained(tmp_path)
    with pytest.raises(UserError, match=r"net.weights.h5 exists: --resume continues its training, --overwrite starts"):
        trained(tmp_path)
    (tmp_path / "net-checkpoint.weights.h5").unlink()
    with pytest.raises(UserError, match=r"net.weights.h5 exists: --overwrite starts again"):
        trained(tmp_path)
    with pytest.raises(UserError, match=r"cannot be resumed; start with: train --overwrite$"):
        trained(tmp_path, resume=True)


def test_advice_repeats_the_flags_of_the_call(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_lstm.py", "--weights", "my weights", "--resume", "--units", "9"])
    assert same_command("python train_lstm.py") == "python train_lstm.py --weights 'my weights' --units 9"


@pytest.mark.parametrize("steps", [1, 3])
def test_all_epochs_share_a_progress_bar(tmp_path, monkeypatch, steps):
    """Forty epochs of a VAE are one line on the terminal."""
    bars = []

    def progress(items, quiet, **settings):
        bars.append(settings)
        return tqdm(items, disable=True)

    monkeypatch.setattr("melody.training_run.progress", progress)
    trained(tmp_path, steps=steps)
    assert [bar["total"] for bar in bars] == [EPOCHS * steps]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_finite_numbers_are_refused(tmp_path, value):
    network, path = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]), tmp_path / "net.weights.h5"
    checkpoint.save_weights(network, path)
    assert checkpoint.load_weights(network, path, "train") is network
    network.set_weights([weight * 0 + value for weight in network.get_weights()])
    checkpoint.save_weights(network, path)
    with pytest.raises(UserError, match=r"no finite numbers.*make it again with: train"):
        checkpoint.load_weights(network, path, "train")
