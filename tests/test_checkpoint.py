"""A training run that is stopped wherever it writes, and taken up again."""

import hashlib

import keras
import pytest

from melody import atomic
from melody.checkpoint import TrainingRun
from melody.errors import UserError

EPOCHS = 2


class Killed(BaseException):
    """The process ends here."""


def model():
    keras.utils.clear_session()  # names are counted, and stand in the files
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    network.compile(keras.optimizers.Adam(0.1), "mse")
    network.optimizer.build(network.trainable_variables)
    return network


def trained(folder, *, resume=False, overwrite=False, judged=(2.0, 1.0), seed=0):
    """A run of two epochs, whose weights say how often they were changed."""
    network = model()
    network.set_weights([weight * 0 + seed for weight in network.get_weights()])
    run = TrainingRun(folder, "net", model=network, eval_model=network, monitor="validation_loss", settings={"seed": seed}, record={},
              command="train")  # fmt: skip

    def epoch(number, told):
        network.set_weights([weight + 1 for weight in network.get_weights()])
        told({"loss": 1.0})
        return {"loss": float(number), "validation_loss": judged[number]}

    with run.lock():
        run.start(resume, overwrite)
        run.train(EPOCHS, 1, epoch, quiet=True)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
def moves(monkeypatch):
    """Let the process end before its k-th file is moved into place, k = `moves.left`; with 0, never."""
    monkeypatch.setattr("melody.checkpoint.training_curve", lambda *_: None)  # it takes its time
    move = atomic.os.replace

    def counted(*paths):
        counted.left -= 1
        if counted.left == 0:
            raise Killed
        move(*paths)

    counted.left = 0
    monkeypatch.setattr(atomic.os, "replace", counted)
    return counted


@pytest.mark.parametrize("judged", [(2.0, 1.0), pytest.param((1.0, 2.0), marks=pytest.mark.slow)])
@pytest.mark.parametrize("over", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_stopped_anywhere_it_ends_as_if_it_had_not_been(tmp_path, moves, judged, over):
    """Anew or over another run; four files an epoch, three where the weights are not better."""
    trained(tmp_path / "whole", judged=judged)
    wanted, stops = digests(tmp_path / "whole"), 0
    while True:
        folder, stops = tmp_path / str(stops), stops + 1
        if over:
            trained(folder, seed=9)
        moves.left = stops
        try:
            trained(folder, judged=judged, overwrite=over)
        except Killed:
            moves.left = 0
            try:
                trained(folder, judged=judged, resume=True)
            except UserError as problem:  # nothing of the new run was kept: the same command again
                assert "start with" in str(problem) or "was made with seed 9, now it is 0" in str(problem)
                trained(folder, judged=judged, overwrite=over)
        else:
            moves.left = 0
            assert stops == (8 if judged == (2.0, 1.0) else 7) + 1
            break
        assert digests(folder) == wanted


def test_what_was_there_stays_when_an_epoch_cannot_be_kept(tmp_path, monkeypatch):
    trained(tmp_path, seed=9)
    before = digests(tmp_path)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("melody.checkpoint.write_weights", full)
    with pytest.raises(OSError, match="No space left"):
        trained(tmp_path, overwrite=True)
    assert digests(tmp_path) == before


def test_a_loss_that_is_no_number_is_told(tmp_path):
    with pytest.raises(UserError, match=r"epoch 1 ended with .*nan.*lower --learning-rate"):
        trained(tmp_path, judged=(float("nan"), 1.0))
    assert not list(tmp_path.iterdir())
