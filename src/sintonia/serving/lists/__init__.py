"""Marketing's own list: read as it is, the customers found, and written back with every row in its place."""

from sintonia.serving.lists.chunks import TaskModel
from sintonia.serving.lists.opening import open_list
from sintonia.serving.lists.read import CustomerList, read_list
from sintonia.serving.lists.run import Scored, score_list
from sintonia.serving.lists.sample import write_sample

__all__ = ["CustomerList", "Scored", "TaskModel", "open_list", "read_list", "score_list", "write_sample"]
