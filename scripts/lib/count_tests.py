"""Adds up ctest's JUnit files: prints `passed failed skipped`, as numbers of test cases.

A doctest program is one ctest entry with many cases; its last lines say how many.
"""

import re
import sys
import xml.etree.ElementTree as ET

DOCTEST = re.compile(r"test cases: +\d+ \| +(\d+) passed \| +(\d+) failed \| +(\d+) skipped")
UNITTEST = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)


def count(case):
    output = case.findtext("system-out") or ""
    status = case.get("status")
    passed, failed, skipped = 0, 0, 0
    match = DOCTEST.search(output)
    ran = UNITTEST.search(output)
    if match:
        passed, failed, skipped = (int(number) for number in match.groups())
    elif status == "run":
        passed = int(ran.group(1)) if ran else 1
    if status == "fail":
        failed = max(failed, 1)
    elif status not in ("run", "fail"):  # notrun, disabled
        skipped = max(skipped, 1)
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    for path in sys.argv[1:]:
        for case in ET.parse(path).getroot().iter("testcase"):
            totals = [total + number for total, number in zip(totals, count(case))]
    print(*totals)


if __name__ == "__main__":
    main()
