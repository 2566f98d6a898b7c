// SPDX-License-Identifier: Apache-2.0
// What may stand where the fleet file wants a machine's address. Resolves
// nothing. Knows no CAF.
#pragma once

#include <string_view>

namespace forkfleet::config {

/// True for an IPv4 or IPv6 address without brackets.
bool is_ip_address(std::string_view text);

/// True for an IP address, or for a name of at most 253 letters, digits, '.',
/// '-' and '_' that does not begin or end in '.' or '-'. Numbers with dots
/// that are no IPv4 address are no name either.
bool is_host(std::string_view text);

/// True for localhost, 127.0.0.0/8 and ::1.
bool is_loopback_host(std::string_view text);

/// True for 0.0.0.0 and ::, which can be listened on but not dialled.
bool is_wildcard_host(std::string_view text);

} // namespace forkfleet::config
