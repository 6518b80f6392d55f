import filelock
import pytest

from pipeline.errors import InputError
from pipeline.stages import train


def test_only_process_holds_the_lock_until_its_context_ends(tmp_path):
    other = filelock.FileLock(tmp_path / ".train" / "fold3.lock", timeout=0)
    held = train._only_process(tmp_path / ".train" / "fold3", 3, wait=0)
    with held, pytest.raises(filelock.Timeout):
        other.acquire()
    with other.acquire():
        assert other.lock_counter == 1


def test_only_process_refuses_what_another_holds(tmp_path):
    with (
        filelock.FileLock(tmp_path / "fold3.lock"),
        pytest.raises(InputError, match="fold 3: another process is training it"),
    ):
        train._only_process(tmp_path / "fold3", 3, wait=0)


def test_check_loss_refuses_lovasz_for_exclusive_classes_alone(params):
    lovasz = params.model_copy(update={"train": params.train.model_copy(update={"loss": "lovasz"})})
    train.check_loss(lovasz)  # the sample's classes are not exclusive
    train.check_loss(params.model_copy(update={"competition": "voc2012"}))
    with pytest.raises(InputError, match="lovasz knows no exclusive classes; use dice_bce"):
        train.check_loss(lovasz.model_copy(update={"competition": "voc2012"}))
