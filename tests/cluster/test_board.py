import io

import pytest
from rich.console import Console
from rich.live import Live

from pipeline.cluster.board import Board, Tail, read_epoch
from pipeline.cluster.jobs import Job, Outcome
from pipeline.training.callbacks import Progress, Watch

LOGS = {"loss": 0.5, "val_dice": 0.8125, "val_dice_positive": 0.75, "val_empty": 0.25}
EXCLUSIVE = {"loss": 0.5, "val_iou": 0.8125, "val_accuracy": 0.9}


@pytest.mark.parametrize("logs", [LOGS, EXCLUSIVE], ids=["dice", "iou"])
def test_read_epoch_understands_what_a_training_prints(logs, capsys):
    watch = Watch(Progress(), 32, 12)
    watch.on_epoch_begin(1)
    watch.trained = watch.begun + 2
    watch.on_epoch_end(1, dict(logs))
    epoch = read_epoch(capsys.readouterr().out)
    assert epoch[:3] == ("2/12", "0.8125", "16.0")  # 32 images in 2 seconds


def test_read_epoch_other_lines_are_none():
    assert read_epoch("warning: every frame was predicted empty for 3 epochs") is None


def test_tail_gives_each_whole_line_once_and_leaves_out_bars(tmp_path):
    tail = Tail(tmp_path / "a.out")
    assert list(tail) == []
    with (tmp_path / "a.out").open("w") as file:
        file.write("== fold 0, host, process 1\nEpoch 1/6\n2/2 ━━━━ 0s\n\nwarn")
        file.flush()
        assert list(tail) == []
        file.write("ing: a\nb\n")
        file.flush()
        assert list(tail) == ["warning: a", "b"]
    assert list(tail) == []


@pytest.fixture
def jobs(tmp_path):
    return [Job(f"fold {fold}", print, (fold,), tmp_path / f"{fold}.out") for fold in (0, 1)]


def line(epoch):
    return (
        f"epoch {epoch}/12: loss 0.5000, validation Dice 0.8125 (0.7500 where there is a mask,"
        " 25% predicted empty), 16.0 images/s, 1.5 min left\n"
    )


def follow(board, jobs):
    """Let fold 0 train two epochs, be lost and go on, and fold 1 fail."""
    board.started(jobs[0], "node-a")
    jobs[0].output.write_text(f"{line(1)}warning: [bold]\n")
    board.look()
    board.lost(jobs[0], "its node is gone")
    board.started(jobs[0], "node-b")
    with jobs[0].output.open("a") as file:
        file.write(line(2))
    board.started(jobs[1], "node-c, GPU 1")
    board.look()
    board.ended(jobs[1], Outcome(error="data/folds.csv: no such file"))


def test_board_without_a_terminal_prints_a_line_per_epoch(jobs, capsys):
    follow(Board(jobs, None, print), jobs)
    assert capsys.readouterr().out == (
        "fold 0: on node-a\n"
        f"fold 0: {line(1)}"
        "fold 0: warning: [bold]\n"
        "fold 0: lost, its node is gone; it goes on from its checkpoint\n"
        "fold 0: on node-b\n"
        "fold 1: on node-c, GPU 1\n"
        f"fold 0: {line(2)}"
        "fold 1: data/folds.csv: no such file\n"
    )


def test_board_on_a_terminal_is_one_table_below_what_else_was_said(jobs, capsys):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    with Live(console=console, auto_refresh=False) as view:
        follow(Board(jobs, view, print), jobs)
    text = console.file.getvalue()
    assert "fold 0: warning: [bold]" in text
    *_, first, second = (row.split() for row in text.splitlines() if row.strip()[:4] == "fold")
    assert first == ["fold", "0", "trains", "2/12", "0.8125", "16.0", "1.5", "node-b"]
    assert second == ["fold", "1", "failed", "node-c,", "GPU", "1"]
    assert capsys.readouterr().out == ""


def test_board_keeps_each_result_at_once(jobs):
    kept = []
    board = Board(jobs, None, lambda job, result: kept.append((job.name, result)))
    board.ended(jobs[0], Outcome("curve"))
    board.ended(jobs[1], Outcome(error="no"))
    assert kept == [("fold 0", "curve")]


def test_board_forgets_what_an_earlier_training_printed(jobs, capsys):
    jobs[0].output.write_text(line(7))
    Board(jobs, None, print).look()
    assert capsys.readouterr().out == ""
