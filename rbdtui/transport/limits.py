"""How much may be under way at once, and how long we wait: separate numbers for logins, commands and uploads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers that keep us from overrunning sshd, the link or our own machine."""

    openings: int = 64
    """Connections at once that are not logged in yet, those that wait for a silent host among them."""
    logins: int = 8
    """Logins under way at once, over all hosts; one begins when the host has said its first line."""
    logins_per_bastion: int = 5
    """Logins under way at once through one bastion; its sshd drops new ones from 10 on (MaxStartups 10:30:100)."""
    sessions_per_host: int = 6
    """Commands at once on one host; sshd refuses the eleventh (MaxSessions 10)."""
    uploads: int = 2
    """Uploads at once, over all hosts: one process encrypts no faster for more."""
    connect_timeout_s: float = 10.0
    """For the TCP connection, and for asking sshd on a host to make one."""
    login_timeout_s: float = 30.0
    """From the TCP connection to the end of the login."""
    shell_start_s: float = 60.0
    """From the start of a command until the login shell, and sudo, have come to it."""
    keepalive_interval_s: float = 10.0
    keepalive_count: int = 3
    """Unanswered keepalives after which the link counts as lost."""
    reconnect_window_s: float = 60.0
    """How long a lost link is tried again."""
    repeats: int = 5
    """How often a script is started again because its link was lost."""
    output_bytes: int = 256 * 1024
    """Largest standard output of a script for which no other limit is asked; more is an error."""
