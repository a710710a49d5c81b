#include "src/wire/rtnetlink.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

namespace mimi::internal {
namespace {

constexpr std::uint16_t kRequest = NLM_F_REQUEST | NLM_F_ACK;
constexpr std::uint16_t kReplace = kRequest | NLM_F_CREATE | NLM_F_REPLACE;
constexpr std::uint16_t kDump = NLM_F_REQUEST | NLM_F_DUMP;
constexpr std::size_t kMappedPrefix = 12;  // of IPv4 in the 16 bytes of an Ip

template <class Header>
void AppendHeader(NetlinkWriter& writer, const Header& header) {
  writer.Append(std::as_bytes(std::span(&header, 1)));
}

std::uint8_t FamilyOf(const Ip& ip) {
  return ip.is_v4() ? AF_INET : AF_INET6;
}

// In the family's own length.
std::span<const std::byte> BytesOf(const Ip& ip) {
  const auto bytes = std::as_bytes(std::span(ip.octets));
  return ip.is_v4() ? bytes.subspan(kMappedPrefix) : bytes;
}

std::optional<Ip> IpOf(int family, std::span<const std::byte> bytes) {
  if (family == AF_INET && bytes.size() == 4) {
    Ipv4 v4;
    std::memcpy(v4.octets.data(), bytes.data(), 4);
    return Ip(v4);
  }
  if (family == AF_INET6 && bytes.size() == 16) {
    Ip ip;
    std::memcpy(ip.octets.data(), bytes.data(), 16);
    return ip.is_v4() ? std::nullopt : std::optional(ip);  // IPv4-mapped: no address of a route
  }
  return std::nullopt;
}

// The fixed header of a message and its attributes. False: too short.
template <class Header>
bool Split(const NetlinkMessage& message, Header* header, std::span<const std::byte>* attributes) {
  if (message.payload.size() < sizeof(Header)) {
    return false;
  }
  std::memcpy(header, message.payload.data(), sizeof(Header));
  *attributes =
      message.payload.subspan(std::min(NetlinkAlign(sizeof(Header)), message.payload.size()));
  return true;
}

bool ReadU32(const NetlinkAttribute& attribute, std::uint32_t* value) {
  if (attribute.payload.size() != sizeof(*value)) {
    return false;
  }
  std::memcpy(value, attribute.payload.data(), sizeof(*value));
  return true;
}

bool ReadIp(const NetlinkAttribute& attribute, int family, Ip* ip) {
  const std::optional<Ip> read = IpOf(family, attribute.payload);
  *ip = read.value_or(Ip());
  return read.has_value();
}

// struct rtvia: a family and an address of it.
bool ReadVia(const NetlinkAttribute& attribute, Ip* ip) {
  std::uint16_t family = 0;
  if (attribute.payload.size() < sizeof(family)) {
    return false;
  }
  std::memcpy(&family, attribute.payload.data(), sizeof(family));
  const std::optional<Ip> read = IpOf(family, attribute.payload.subspan(sizeof(family)));
  *ip = read.value_or(Ip());
  return read.has_value();
}

void PutVia(NetlinkWriter& writer, const Ip& gateway) {
  std::byte via[sizeof(std::uint16_t) + sizeof(gateway.octets)];
  const std::uint16_t family = FamilyOf(gateway);
  const std::span<const std::byte> bytes = BytesOf(gateway);
  std::memcpy(via, &family, sizeof(family));
  std::memcpy(via + sizeof(family), bytes.data(), bytes.size());
  writer.Put(RTA_VIA, std::span(via, sizeof(family) + bytes.size()));
}

bool ReadRouteAttribute(const NetlinkAttribute& attribute, int family, RtRoute* route) {
  switch (attribute.type) {
    case RTA_DST:
      return ReadIp(attribute, family, &route->destination);
    case RTA_GATEWAY:
      return ReadIp(attribute, family, &route->gateway);
    case RTA_VIA:
      return ReadVia(attribute, &route->gateway);
    case RTA_OIF:
      return ReadU32(attribute, &route->interface);
    case RTA_PRIORITY:
      return ReadU32(attribute, &route->metric);
    case RTA_TABLE:
      return ReadU32(attribute, &route->table);
    case RTA_MULTIPATH:
    case RTA_ENCAP:
      route->plain = false;
      return true;
    default:
      return true;
  }
}

void AppendAddress(NetlinkWriter& writer, const RtAddress& address) {
  ifaddrmsg header = {};
  header.ifa_family = FamilyOf(address.address);
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.length);
  header.ifa_scope = RT_SCOPE_UNIVERSE;
  header.ifa_index = address.interface;
  AppendHeader(writer, header);
  writer.Put(IFA_LOCAL, BytesOf(address.address));
}

}  // namespace

void AppendRoute(NetlinkWriter& writer, const RtRoute& route, std::uint32_t sequence) {
  const bool on_link = route.gateway == Ip();
  rtmsg header = {};
  header.rtm_family = FamilyOf(route.destination);
  header.rtm_dst_len = static_cast<std::uint8_t>(route.length);
  header.rtm_table = RT_TABLE_UNSPEC;  // RTA_TABLE says it
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = on_link && route.destination.is_v4() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  writer.Begin(RTM_NEWROUTE, kReplace, sequence);
  AppendHeader(writer, header);
  writer.Put(RTA_DST, BytesOf(route.destination));
  writer.PutU32(RTA_TABLE, route.table);
  if (route.metric != 0) {
    writer.PutU32(RTA_PRIORITY, route.metric);
  }
  if (!on_link && route.gateway.is_v4() == route.destination.is_v4()) {
    writer.Put(RTA_GATEWAY, BytesOf(route.gateway));
  } else if (!on_link) {
    PutVia(writer, route.gateway);
  }
  if (route.interface != 0) {
    writer.PutU32(RTA_OIF, route.interface);
  }
  writer.End();
}

void AppendNextHop(NetlinkWriter& writer, const RtNextHop& hop, std::uint32_t sequence) {
  nhmsg header = {};
  header.nh_family = FamilyOf(hop.gateway);
  header.nh_protocol = RTPROT_STATIC;
  writer.Begin(RTM_NEWNEXTHOP, kReplace, sequence);
  AppendHeader(writer, header);
  writer.PutU32(NHA_ID, hop.id);
  writer.Put(NHA_GATEWAY, BytesOf(hop.gateway));
  writer.PutU32(NHA_OIF, hop.interface);
  writer.End();
}

void AppendGetNextHop(NetlinkWriter& writer, std::uint32_t id, std::uint32_t sequence) {
  writer.Begin(RTM_GETNEXTHOP, NLM_F_REQUEST, sequence);
  AppendHeader(writer, nhmsg{});
  writer.PutU32(NHA_ID, id);
  writer.End();
}

void AppendNewAddress(NetlinkWriter& writer, const RtAddress& address, std::uint32_t sequence) {
  writer.Begin(RTM_NEWADDR, kReplace, sequence);
  AppendAddress(writer, address);
  writer.Put(IFA_ADDRESS, BytesOf(address.address));
  if (!address.address.is_v4()) {
    writer.PutU32(IFA_FLAGS, IFA_F_NODAD);
  }
  writer.End();
}

void AppendDeleteAddress(NetlinkWriter& writer, const RtAddress& address, std::uint32_t sequence) {
  writer.Begin(RTM_DELADDR, kRequest, sequence);
  AppendAddress(writer, address);
  writer.End();
}

void AppendDumpRoutes(NetlinkWriter& writer, bool v4, std::uint32_t table, std::uint32_t sequence) {
  rtmsg header = {};
  header.rtm_family = v4 ? AF_INET : AF_INET6;
  writer.Begin(RTM_GETROUTE, kDump, sequence);
  AppendHeader(writer, header);
  writer.PutU32(RTA_TABLE, table);
  writer.End();
}

void AppendDumpAddresses(NetlinkWriter& writer, std::uint32_t interface, std::uint32_t sequence) {
  ifaddrmsg header = {};
  header.ifa_family = AF_UNSPEC;
  header.ifa_index = interface;
  writer.Begin(RTM_GETADDR, kDump, sequence);
  AppendHeader(writer, header);
  writer.End();
}

bool ParseRoute(const NetlinkMessage& message, RtRoute* route) {
  rtmsg header;
  std::span<const std::byte> rest;
  if (message.type != RTM_NEWROUTE || !Split(message, &header, &rest) ||
      (header.rtm_family != AF_INET && header.rtm_family != AF_INET6)) {
    return false;
  }
  *route = RtRoute();
  if (header.rtm_family == AF_INET) {
    route->destination = Ipv4();  // no RTA_DST: the default route
  }
  route->length = header.rtm_dst_len;
  route->table = header.rtm_table;
  route->plain = header.rtm_type == RTN_UNICAST && header.rtm_src_len == 0 && header.rtm_tos == 0 &&
                 (header.rtm_flags & RTM_F_CLONED) == 0;
  AttributeReader attributes(rest);
  for (NetlinkAttribute attribute; attributes.Next(&attribute);) {
    if (!ReadRouteAttribute(attribute, header.rtm_family, route)) {
      return false;
    }
  }
  return attributes.ok() && route->length <= (header.rtm_family == AF_INET ? 32 : 128);
}

bool ParseNextHop(const NetlinkMessage& message, RtNextHop* hop) {
  nhmsg header;
  std::span<const std::byte> rest;
  if (message.type != RTM_NEWNEXTHOP || !Split(message, &header, &rest)) {
    return false;
  }
  *hop = RtNextHop();
  AttributeReader attributes(rest);
  for (NetlinkAttribute attribute; attributes.Next(&attribute);) {
    bool good = true;
    if (attribute.type == NHA_ID) {
      good = ReadU32(attribute, &hop->id);
    } else if (attribute.type == NHA_GATEWAY) {
      good = ReadIp(attribute, header.nh_family, &hop->gateway);
    } else if (attribute.type == NHA_OIF) {
      good = ReadU32(attribute, &hop->interface);
    }
    if (!good) {
      return false;
    }
  }
  return attributes.ok();
}

bool ParseAddress(const NetlinkMessage& message, RtAddress* address) {
  ifaddrmsg header;
  std::span<const std::byte> rest;
  if (message.type != RTM_NEWADDR || !Split(message, &header, &rest)) {
    return false;
  }
  *address = RtAddress();
  address->length = header.ifa_prefixlen;
  address->interface = header.ifa_index;
  // IFA_LOCAL is the address itself; IFA_ADDRESS on a point-to-point link the far end's, and where
  // there is no IFA_LOCAL the address.
  bool local = false;
  AttributeReader attributes(rest);
  for (NetlinkAttribute attribute; attributes.Next(&attribute);) {
    if (attribute.type == IFA_LOCAL || (attribute.type == IFA_ADDRESS && !local)) {
      if (!ReadIp(attribute, header.ifa_family, &address->address)) {
        return false;
      }
      local = attribute.type == IFA_LOCAL;
    }
  }
  return attributes.ok() && address->address != Ip();
}

}  // namespace mimi::internal
