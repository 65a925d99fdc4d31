"""Marketing's own list: read as it is, the customers found, and written back with every row in its place."""

from sintonia.serving.lists.chunks import TaskModel
from sintonia.serving.lists.opening import open_list, write_sample
from sintonia.serving.lists.read import CustomerList, read_list
from sintonia.serving.lists.run import ScoredList, score_list

__all__ = ["CustomerList", "ScoredList", "TaskModel", "open_list", "read_list", "score_list", "write_sample"]
