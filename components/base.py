"""The image that every component of the project runs in; it holds all that they import, and nothing is installed later.

A task on a cluster of another registry names its image itself: `task.set_container_image(...)`.
"""

IMAGE = "localhost:5001/components:1"
