"""What the folders of runs may be called."""

import re

FOLDER_NAME = re.compile(r"\w[\w.-]*")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_\d+)?")
