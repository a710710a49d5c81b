// Feeds each file of a corpus to a fuzz target, so that the ordinary test run replays what the
// fuzzer has found. Arguments: files or directories (searched to any depth). An empty corpus fails:
// it would prove nothing.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

void Replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  // A copy of exactly this size on the heap: a sanitizer sees a read one byte past the end.
  const std::vector<uint8_t> bytes(text.begin(), text.end());
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);  // the name of the culprit shall be seen when the next line crashes
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    const fs::path path = argv[i];
    if (!fs::is_directory(path)) {
      Replay(path);
      ++count;
      continue;
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) {
        Replay(entry.path());
        ++count;
      }
    }
  }
  std::printf("%zu inputs replayed\n", count);
  return count > 0 ? 0 : 1;
}
