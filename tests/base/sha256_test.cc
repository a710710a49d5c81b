#include "src/base/sha256.h"

#include <string>

#include <doctest/doctest.h>
#include <fmt/core.h>

#include "src/base/bytes.h"

namespace mimi {
namespace {

std::string Hex(const Sha256Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) {
    text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  }
  return text;
}

TEST_CASE("sha256: the examples of FIPS 180-4") {
  CHECK(Hex(Sha256().Finish()) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(Hex(Sha256().Add(AsBytes("abc")).Finish()) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("sha256: every size around the ends of blocks, in one piece and in two") {
  Sha256 all;
  for (std::size_t size = 0; size < 200; ++size) {
    const std::string text(size, 'a');
    const Sha256Digest whole = Sha256().Add(AsBytes(text)).Finish();
    const auto bytes = AsBytes(text);
    CHECK(Sha256().Add(bytes.first(size / 3)).Add(bytes.subspan(size / 3)).Finish() == whole);
    all.Add(whole);
  }
  // Python: hashlib.sha256 of the digests of b"a" * n for n in range(200), one behind the other.
  CHECK(Hex(all.Finish()) == "752c007f38611cfbf5fa42cb1cea3d8e086491c844d0cc4defd632cb81423506");
}

TEST_CASE("hmac: RFC 4231, test cases 1, 2 and 6") {
  CHECK(Hex(HmacSha256(AsBytes(std::string(20, '\x0b')), AsBytes("Hi There"))) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(Hex(HmacSha256(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"))) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(Hex(HmacSha256(AsBytes(std::string(131, '\xaa')),
                       AsBytes("Test Using Larger Than Block-Size Key - Hash Key First"))) ==
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_CASE("constant time: equal is equal, and nothing else") {
  CHECK(EqualInConstantTime(AsBytes("abc"), AsBytes("abc")));
  CHECK_FALSE(EqualInConstantTime(AsBytes("abc"), AsBytes("abd")));
  CHECK_FALSE(EqualInConstantTime(AsBytes("abc"), AsBytes("ab")));
}

}  // namespace
}  // namespace mimi
