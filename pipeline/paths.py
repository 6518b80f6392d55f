"""Where each artefact lives."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The artefacts of a project whose `params.yaml` and `dvc.yaml` lie in `root`."""

    root: Path

    @property
    def params(self) -> Path:
        """Every parameter."""
        return self.root / "params.yaml"

    @property
    def sample(self) -> Path:
        """The embedded data set."""
        return self.root / "data" / "raw" / "sample"

    @property
    def processed(self) -> Path:
        """Frames at network size: a store in each of `train` and `test`."""
        return self.root / "data" / "processed"

    @property
    def train_store(self) -> Path:
        """Training frames and masks."""
        return self.processed / "train"

    @property
    def test_store(self) -> Path:
        """Test frames."""
        return self.processed / "test"

    @property
    def folds(self) -> Path:
        """Table of id and fold."""
        return self.root / "data" / "folds.csv"

    @property
    def encoder(self) -> Path:
        """Pretrained weights of the encoder; without arrays where none are wanted."""
        return self.root / "models" / "encoder.npz"

    def model(self, fold: int) -> Path:
        """Return the best model of a fold."""
        return self.root / "models" / "folds" / f"fold{fold}.keras"

    def oof(self, fold: int) -> Path:
        """Return the predictions of a fold's own validation frames."""
        return self.root / "data" / "oof" / f"fold{fold}.npy"

    def checkpoints(self, fold: int) -> Path:
        """Return the folder from which a killed training of a fold goes on."""
        return self.root / ".train" / f"fold{fold}"

    def training_output(self, fold: int) -> Path:
        """Return what the training of a fold prints where no person sees it at once."""
        return self.root / ".train" / f"fold{fold}.out"

    def training_log(self, fold: int) -> Path:
        """Return the folder of a fold's metrics per epoch."""
        return self.root / "reports" / "training" / f"fold{fold}"

    @property
    def cutoffs(self) -> Path:
        """The tuned cut-offs."""
        return self.root / "models" / "cutoffs.json"

    @property
    def metrics(self) -> Path:
        """The out-of-fold scores."""
        return self.root / "reports" / "metrics.json"

    @property
    def threshold_curve(self) -> Path:
        """Out-of-fold score at every threshold."""
        return self.root / "reports" / "thresholds.csv"

    @property
    def frame_scores(self) -> Path:
        """Nested out-of-fold score of every training frame, worst first."""
        return self.root / "reports" / "frames.csv"

    @property
    def subject_scores(self) -> Path:
        """Nested out-of-fold score of every subject, worst first."""
        return self.root / "reports" / "subjects.csv"

    @property
    def audit(self) -> Path:
        """Faults of the raw files, and pairs of frames of one scene, as tables and pictures."""
        return self.root / "reports" / "audit"

    @property
    def raw_faults(self) -> Path:
        """Table of what is wrong with the raw files."""
        return self.audit / "files.csv"

    @property
    def view_gains(self) -> Path:
        """What each test-time-augmentation view is worth."""
        return self.root / "reports" / "views.csv"

    @property
    def rule_gains(self) -> Path:
        """What each rule of the cut-offs is worth."""
        return self.root / "reports" / "rules.csv"

    @property
    def area_curve(self) -> Path:
        """Out-of-fold score at every smallest area."""
        return self.root / "reports" / "areas.csv"

    @property
    def report(self) -> Path:
        """The page on the out-of-fold frames."""
        return self.root / "reports" / "index.html"

    @property
    def test_report(self) -> Path:
        """The page on the test frames."""
        return self.root / "reports" / "test.html"

    @property
    def report_files(self) -> Path:
        """The pictures that both pages show, a folder for every version of them."""
        return self.root / "reports" / "report_files"

    @property
    def comparison_report(self) -> Path:
        """The page that sets projects side by side."""
        return self.root / "reports" / "compare.html"

    @property
    def diff(self) -> Path:
        """How two submissions differ, as a table and a picture."""
        return self.root / "reports" / "diff"

    @property
    def sheet(self) -> Path:
        """Test frames with a submission's outlines."""
        return self.root / "reports" / "show.png"

    @property
    def ledger_plot(self) -> Path:
        """Nested score against leaderboard."""
        return self.root / "reports" / "ledger.png"

    @property
    def test_predictions(self) -> Path:
        """The ensemble's predictions of the test frames."""
        return self.root / "data" / "predictions" / "test.npy"

    @property
    def predicted_shards(self) -> Path:
        """The parts of the test frames' predictions, while they are made on a cluster."""
        return self.root / "data" / "predictions" / ".partial-shards"

    @property
    def prediction_output(self) -> Path:
        """What the processes print that make them."""
        return self.root / ".train" / "predict.out"

    @property
    def submission(self) -> Path:
        """The file to upload."""
        return self.root / "submissions" / "submission.csv"

    @property
    def ledger(self) -> Path:
        """One row per upload."""
        return self.root / "submissions" / "ledger.csv"
