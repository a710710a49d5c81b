// Firmware's view of the installed core: a timer on the loop of mimi::core.
#include <mimi/loop.h>

#include <chrono>
#include <cstdio>

int main() {
  auto loop = mimi::NewEpollLoop();
  if (!loop.ok()) {
    std::printf("%s\n", loop.status().ToString().c_str());
    return 1;
  }
  bool fired = false;
  (*loop)->At((*loop)->now() + std::chrono::milliseconds(1), [&] {
    fired = true;
    (*loop)->Stop();
  });
  (*loop)->Run();
  std::printf("core: timer fired: %d\n", fired);
  return fired ? 0 : 1;
}
