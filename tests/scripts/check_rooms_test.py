"""scripts/check-rooms finds planted includes and accepts the legal ones."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class CheckRooms(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.plant("src/rooms.txt", (ROOT / "src/rooms.txt").read_text())

    def plant(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def check(self):
        result = subprocess.run(
            [sys.executable, ROOT / "scripts/check-rooms", self.root],
            capture_output=True, text=True, check=False)
        return result.returncode, result.stdout

    def refused(self, path, include, why):
        self.plant(path, f"// Comment.\n#include {include}\n")
        code, output = self.check()
        self.assertEqual(code, 1, output)
        self.assertIn(f"{path}:2:", output)
        self.assertIn(why, output)

    def test_accepts_what_goes_downward(self):
        self.plant("include/mimi/a.h", '#include <vector>\n#include "absl/status/status.h"\n')
        self.plant("include/mimi/typed.h", '#include "cereal/cereal.hpp"\n#include "mimi/a.h"\n')
        self.plant("src/base/b.h", "#include <sys/socket.h>\n#include <fmt/format.h>\n")
        self.plant("src/io/uv_loop.cc", '#include <uv.h>\n#include "src/base/b.h"\n')
        self.plant("src/store/memory/c.cc",
                   '#include "mimi/builtin/x.h"\n#include "src/store/d.h"\n'
                   '#include "src/state/e.h"\n')
        self.plant("src/engine/f.cc", '#include "src/publish/g.h"\n#include "mimi/a.h"\n')
        self.plant("bindings/c/h.cc", '#include "src/engine/f.h"\n#include "mimi/builtin/x.h"\n')
        self.plant("examples/i.c", "#include <mimi/c/mimi.h>\n#include <stdio.h>\n")
        self.assertEqual(self.check()[0], 0, self.check()[1])

    def test_refuses_upward(self):
        self.refused("src/base/a.cc", '"src/state/b.h"', "upward")

    def test_refuses_sideways(self):
        self.refused("src/store/a.cc", '"src/minion/b.h"', "sideways")

    def test_refuses_sideways_in_subdirectories(self):
        self.refused("src/store/memory/a.cc", '"src/driver/log/b.h"', "sideways")

    def test_refuses_back_ends_in_the_engine(self):
        self.refused("src/engine/a.cc", '"src/store/b.h"', "interfaces only")

    def test_refuses_options_of_back_ends_in_the_engine(self):
        self.refused("src/engine/a.cc", '"mimi/builtin/memory_store.h"', "interfaces only")

    def test_refuses_our_rooms_in_public_headers(self):
        self.refused("include/mimi/a.h", '"src/base/b.h"', "standard library")

    def test_refuses_system_headers_in_public_headers(self):
        self.refused("include/mimi/builtin/a.h", "<linux/netlink.h>", "standard library")

    def test_refuses_cereal_outside_typed(self):
        self.refused("include/mimi/record.h", "<cereal/cereal.hpp>", "cereal in typed.h")

    def test_refuses_libuv_outside_io(self):
        self.refused("src/engine/a.cc", "<uv.h>", "only src/io")

    def test_refuses_json_in_headers(self):
        self.refused("src/state/a.h", "<nlohmann/json.hpp>", "only in .cc")

    def test_refuses_test_code_in_the_library(self):
        self.refused("src/base/a.cc", '"tests/fake/b.h"', "not part of the library")

    def test_refuses_unknown_rooms(self):
        self.refused("src/base/a.cc", '"src/misc/b.h"', "not in src/rooms.txt")

    def test_refuses_relative_paths(self):
        self.plant("src/base/b.h", "")
        self.refused("src/base/a.cc", '"b.h"', "from the root")

    def test_refuses_inner_headers_in_examples(self):
        self.refused("examples/a.cc", '"src/base/b.h"', "public headers only")

    def test_refuses_a_directory_that_is_no_room(self):
        self.plant("src/misc/a.cc", "")
        code, output = self.check()
        self.assertEqual(code, 1)
        self.assertIn("src/misc/a.cc", output)


if __name__ == "__main__":
    unittest.main()
