// Host and port as Host and an absolute target carry them.
#pragma once

#include <cstdint>

namespace sluice::http {

// A host name and an address must fit the routing table's key.
inline constexpr uint32_t kHostBytesMax = 255;

// uri-host [ ":" port ] of RFC 9110 section 7.2: a reg-name (IPv4 is one), or an IPv6 address in
// brackets; a port of 0 to 65535 in at most five digits, or none after the colon (RFC 3986 section
// 3.2.3). Stricter than the grammar: a host is not empty (RFC 9110 section 4.2.1), has no comma,
// which would make two of one, and is neither an IPvFuture nor has a zone.
bool is_authority(const uint8_t* text, uint32_t bytes);

}  // namespace sluice::http
