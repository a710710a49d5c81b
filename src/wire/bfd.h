#ifndef MIMI_SRC_WIRE_BFD_H_
#define MIMI_SRC_WIRE_BFD_H_

/// \file
/// BFD control packets (RFC 5880 section 4.1), without authentication.
///
///      0                   1                   2                   3
///      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
///     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
///     |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
///     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
///     |                       My Discriminator                        |
///     |                      Your Discriminator                       |
///     |                    Desired Min TX Interval                    |
///     |                   Required Min RX Interval                    |
///     |                 Required Min Echo RX Interval                 |
///     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
///
/// Threads: any.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace mimi::internal {

enum class BfdState : std::uint8_t { kAdminDown = 0, kDown = 1, kInit = 2, kUp = 3 };
std::string_view BfdStateName(BfdState state);

/// Why the sender's session left Up; other values are legal and mean nothing to us.
enum class BfdDiagnostic : std::uint8_t {
  kNone = 0,
  kDetectionTimeExpired = 1,
  kEchoFailed = 2,
  kNeighborSignaledDown = 3,
  kForwardingPlaneReset = 4,
  kPathDown = 5,
  kConcatenatedPathDown = 6,
  kAdministrativelyDown = 7,
  kReverseConcatenatedPathDown = 8,
};
std::string_view BfdDiagnosticName(BfdDiagnostic diagnostic);

struct BfdPacket {
  BfdDiagnostic diagnostic = BfdDiagnostic::kNone;
  BfdState state = BfdState::kDown;
  bool poll = false;
  bool final = false;
  bool control_plane_independent = false;
  std::uint8_t multiplier = 0;
  std::uint32_t my_discriminator = 0;
  std::uint32_t your_discriminator = 0;
  std::chrono::microseconds desired_min_tx{};
  std::chrono::microseconds required_min_rx{};
  std::chrono::microseconds required_min_echo_rx{};

  friend bool operator==(const BfdPacket&, const BfdPacket&) = default;
};

/// Why a packet is dropped: the checks of RFC 5880 section 6.8.6 that need no session, and what we
/// do not speak.
enum class BfdRefusal : std::uint8_t {
  kNone,
  kTruncated,          ///< shorter than 24 bytes, or than its length field says
  kVersion,            ///< not 1
  kLength,             ///< the length field is less than 24
  kMultiplier,         ///< zero
  kMultipoint,         ///< reserved, must be zero
  kMyDiscriminator,    ///< zero
  kYourDiscriminator,  ///< zero, in a state that implies that we were heard
  kAuthenticated,      ///< we use no authentication
  kDemand,             ///< demand mode, which we do not speak
};
inline constexpr std::size_t kBfdRefusals = 10;
std::string_view BfdRefusalName(BfdRefusal refusal);

inline constexpr std::size_t kBfdPacketSize = 24;

/// Bytes behind the length that the packet says are ignored.
BfdRefusal ParseBfd(std::span<const std::byte> bytes, BfdPacket* packet);
std::array<std::byte, kBfdPacketSize> EncodeBfd(const BfdPacket& packet);

}  // namespace mimi::internal

#endif  // MIMI_SRC_WIRE_BFD_H_
