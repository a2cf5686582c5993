"""The fault switch: named breakages that a service declares and a drill turns on, off unless enabled."""

from faults.declared import BadParameterError, Fault, Parameter, Value
from faults.dice import Active, Dice
from faults.switch import Switch, UnknownFaultError

__all__ = [
    "Active",
    "BadParameterError",
    "Dice",
    "Fault",
    "Parameter",
    "Switch",
    "UnknownFaultError",
    "Value",
]
