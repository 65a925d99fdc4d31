"""Marketing's own lists: read in any format, matched to customers, scored and written back with every row."""

from sintonia.serving.lists.chunks import TaskModel
from sintonia.serving.lists.opening import open_list, write_sample
from sintonia.serving.lists.read import CustomerList, read_list
from sintonia.serving.lists.run import ScoredList, score_list

__all__ = ["CustomerList", "ScoredList", "TaskModel", "open_list", "read_list", "score_list", "write_sample"]
