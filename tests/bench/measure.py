#!/usr/bin/env python3
"""Runs commands side by side, in turns, and prints the median cost of each and its ratio to the first.

usage: measure.py RUNS LABEL COMMAND [LABEL COMMAND ...]

A command is one shell word list. Its output is thrown away; an exit status that tells of no findings is an error. CPU seconds are those of the
command and of every process that it waited for; the peak memory is that of the largest of them.
"""
import os
import shlex
import statistics
import sys
import time


def run(command):
    """Wall seconds, CPU seconds and peak memory (MB) of one run."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.execvp(command[0], command)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    # 200 is how kingfisher says that it found something.
    if not 0 <= code <= 3 and code != 200:
        sys.exit(f"exit status {code}: {shlex.join(command)}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    runs, rest = int(sys.argv[1]), sys.argv[2:]
    labels, commands = rest[::2], [shlex.split(command) for command in rest[1::2]]
    costs = [[] for _ in commands]
    for _ in range(runs):
        for cost, command in zip(costs, commands):
            cost.append(run(command))
    medians = [[statistics.median(column) for column in zip(*cost)] for cost in costs]
    first = medians[0]
    for label, (wall, cpu, memory) in zip(labels, medians):
        print(
            f"  {label:<22} wall {wall:8.2f} s ({wall / first[0]:5.1f}x)  cpu {cpu:8.2f} s ({cpu / first[1]:5.1f}x)"
            f"  peak {memory:6.0f} MB"
        )


main()
