"""How a CSV of run lengths is written: the submission, and tables of true masks."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from pipeline.competitions.patterns import fill
from pipeline.validation import Section, listed


class TableFormat(Section):
    """How a CSV of run lengths is written.

    Attributes
    ----------
    header : tuple of str
        The columns; the last one holds the runs.
    row : tuple of str
        What stands in the columns before: templates of {id} and {class}, in a table of true masks
        also of the placeholders of images.
    order, origin, relative
        See `pipeline.masks.rle.encode`.
    empty : str
        What stands for a mask without foreground.
    """

    header: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=2)]
    row: Annotated[tuple[str, ...], BeforeValidator(listed)] = ("{id}",)
    order: Literal["columns", "rows"] = "columns"
    origin: Literal[0, 1] = 1
    relative: bool = False
    empty: str = ""

    @property
    def scan(self) -> dict[str, Any]:
        """The options of `pipeline.masks.rle`."""
        return {"order": self.order, "origin": self.origin, "relative": self.relative}

    @model_validator(mode="after")
    def _row_fits(self) -> "TableFormat":
        if len(self.row) != len(self.header) - 1:
            raise ValueError(
                f"row: expected {len(self.header) - 1} templates for the columns"
                f" {', '.join(self.header)}, got {len(self.row)}"
            )
        return self

    def key(self, image_id: str, class_name: str, **parts: str) -> tuple[str, ...]:
        """Return what stands before the runs in the row of an image and class.

        The `parts` are the placeholders of the image's file.
        """
        values = {**parts, "id": image_id, "class": class_name}
        return tuple(fill(template, values) for template in self.row)


class MaskTable(TableFormat):
    """A CSV with the true masks; an image without a row has no foreground."""

    file: str


class SubmissionFormat(TableFormat):
    """How ``submission.csv`` is written."""

    ids: Literal["integer", "name"] = "name"
