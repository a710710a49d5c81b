#ifndef MIMI_SRC_RULES_KNOWN_NAMES_H_
#define MIMI_SRC_RULES_KNOWN_NAMES_H_

// Names that boxes print for ports and protocols.
//
// Threads: constant; any.

#include <array>
#include <cstdint>
#include <string_view>

namespace mimi::rules {

struct KnownName {
  std::string_view name;
  std::uint16_t number;
};

// Names that boxes print for ports: Cisco's (ASA command reference, "TCP and UDP ports"), and those
// of /etc/services that differ. Sorted.
inline constexpr std::array kServices = std::to_array<KnownName>({{"aol", 5190},
                                                                  {"bgp", 179},
                                                                  {"biff", 512},
                                                                  {"bootpc", 68},
                                                                  {"bootps", 67},
                                                                  {"chargen", 19},
                                                                  {"cifs", 3020},
                                                                  {"citrix-ica", 1494},
                                                                  {"cmd", 514},
                                                                  {"ctiqbe", 2748},
                                                                  {"daytime", 13},
                                                                  {"discard", 9},
                                                                  {"dnsix", 195},
                                                                  {"domain", 53},
                                                                  {"domain-s", 853},
                                                                  {"echo", 7},
                                                                  {"exec", 512},
                                                                  {"finger", 79},
                                                                  {"ftp", 21},
                                                                  {"ftp-data", 20},
                                                                  {"gopher", 70},
                                                                  {"h323", 1720},
                                                                  {"hostname", 101},
                                                                  {"http", 80},
                                                                  {"http-alt", 8080},
                                                                  {"https", 443},
                                                                  {"ident", 113},
                                                                  {"imap", 143},
                                                                  {"imap3", 220},
                                                                  {"imap4", 143},
                                                                  {"imaps", 993},
                                                                  {"ipp", 631},
                                                                  {"irc", 194},
                                                                  {"isakmp", 500},
                                                                  {"kerberos", 88},
                                                                  {"klogin", 543},
                                                                  {"kshell", 544},
                                                                  {"ldap", 389},
                                                                  {"ldaps", 636},
                                                                  {"login", 513},
                                                                  {"lotusnotes", 1352},
                                                                  {"lpd", 515},
                                                                  {"mdns", 5353},
                                                                  {"microsoft-ds", 445},
                                                                  {"mobile-ip", 434},
                                                                  {"ms-wbt-server", 3389},
                                                                  {"mysql", 3306},
                                                                  {"nameserver", 42},
                                                                  {"netbios-dgm", 138},
                                                                  {"netbios-ns", 137},
                                                                  {"netbios-ssn", 139},
                                                                  {"nfs", 2049},
                                                                  {"nntp", 119},
                                                                  {"ntp", 123},
                                                                  {"openvpn", 1194},
                                                                  {"pcanywhere-data", 5631},
                                                                  {"pcanywhere-status", 5632},
                                                                  {"pim-auto-rp", 496},
                                                                  {"pop2", 109},
                                                                  {"pop3", 110},
                                                                  {"pop3s", 995},
                                                                  {"postgresql", 5432},
                                                                  {"pptp", 1723},
                                                                  {"radius", 1645},
                                                                  {"radius-acct", 1646},
                                                                  {"rip", 520},
                                                                  {"rsh", 514},
                                                                  {"rtsp", 554},
                                                                  {"secureid-udp", 5510},
                                                                  {"sip", 5060},
                                                                  {"sip-tls", 5061},
                                                                  {"smtp", 25},
                                                                  {"smtps", 465},
                                                                  {"snmp", 161},
                                                                  {"snmptrap", 162},
                                                                  {"sqlnet", 1521},
                                                                  {"ssh", 22},
                                                                  {"submission", 587},
                                                                  {"sunrpc", 111},
                                                                  {"syslog", 514},
                                                                  {"tacacs", 49},
                                                                  {"talk", 517},
                                                                  {"telnet", 23},
                                                                  {"tftp", 69},
                                                                  {"time", 37},
                                                                  {"uucp", 540},
                                                                  {"vxlan", 4789},
                                                                  {"who", 513},
                                                                  {"whois", 43},
                                                                  {"www", 80},
                                                                  {"xdmcp", 177}});

// IANA "Protocol Numbers", with the other names that boxes print.
inline constexpr std::array kProtocols = std::to_array<KnownName>(
    {{"tcp", 6},        {"udp", 17},   {"icmp", 1},     {"icmpv6", 58}, {"icmp6", 58},
     {"ipv6-icmp", 58}, {"sctp", 132}, {"gre", 47},     {"esp", 50},    {"ah", 51},
     {"igmp", 2},       {"ospf", 89},  {"ospfigp", 89}, {"pim", 103},   {"dccp", 33},
     {"udplite", 136},  {"vrrp", 112}, {"eigrp", 88},   {"ipip", 94},   {"ipencap", 4},
     {"ipinip", 4},     {"ipv6", 41},  {"l2tp", 115},   {"carp", 112},  {"icmp-v6", 58}});

}  // namespace mimi::rules

#endif  // MIMI_SRC_RULES_KNOWN_NAMES_H_
