"""scripts/lib/count_tests.py adds up what ctest wrote."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/lib/count_tests.py"


def count(*cases):
    """Each case: status, output."""
    body = "".join(
        f'<testcase name="x" status="{status}"><system-out>{output}</system-out></testcase>'
        for status, output in cases)
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(f"<testsuite>{body}</testsuite>")
        file.flush()
        result = subprocess.run([sys.executable, SCRIPT, file.name], capture_output=True,
                                text=True, check=True)
    return [int(number) for number in result.stdout.split()]


class CountTests(unittest.TestCase):
    def test_counts_the_cases_of_doctest_programs(self):
        output = "[doctest] test cases:  6 |  4 passed | 2 failed | 1 skipped"
        self.assertEqual(count(("fail", output)), [4, 2, 1])

    def test_counts_a_crash_as_a_failure(self):
        self.assertEqual(count(("fail", "Segmentation fault")), [0, 1, 0])

    def test_counts_a_failure_that_doctest_did_not_see(self):
        # A sanitizer's report at the end of a program whose cases all passed.
        output = "[doctest] test cases: 6 | 6 passed | 0 failed | 0 skipped"
        self.assertEqual(count(("fail", output)), [6, 1, 0])

    def test_counts_other_programs_once_and_unittest_by_its_words(self):
        self.assertEqual(count(("run", "whatever"), ("run", "Ran 16 tests in 1 s")), [17, 0, 0])

    def test_counts_what_did_not_run(self):
        self.assertEqual(count(("notrun", ""), ("run", "")), [1, 0, 1])


if __name__ == "__main__":
    unittest.main()
