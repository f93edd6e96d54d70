"""How likely is a digit, and how much of that do models miss?"""

from ui.parts.page import frame
from ui.views.bound.parts import the_bound

frame("The bound", __doc__)
the_bound()
