// SPDX-License-Identifier: Apache-2.0
// The fleet's own certificate authority: EC P-256 keys, files that only
// their owner reads. Who may do what is in the certificate's name and use.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "actors/access.hpp"
#include "actors/error.hpp"
#include "actors/ids.hpp"
#include "actors/link/endpoint.hpp"

namespace forkfleet::pki {

using days = std::chrono::duration<int, std::ratio<86400>>;

/// How long certificates hold when nobody says otherwise.
inline constexpr days authority_validity{3650};
inline constexpr days leaf_validity{825};

/// What a certificate is for.
enum class role : unsigned char {
  /// Named "coordinator"; serves; carries host names and addresses.
  coordinator,
  /// Named "node:<host>"; dials.
  node,
  /// Named "client:<name>"; dials.
  client,
};

constexpr auto enum_table(role) {
  using enum role;
  return std::to_array<schema::enum_entry<role>>({
    {coordinator, "coordinator"},
    {node, "node"},
    {client, "client"},
  });
}

/// What to issue.
struct issue_request {
  role what = role::client;
  /// The node's host or the client's name; not used for a coordinator.
  std::string name = {};
  /// A coordinator's names and addresses, as nodes and clients dial it;
  /// at least one.
  std::vector<std::string> hosts = {};
  days validity = leaf_validity;
  /// What a client may do.
  access_role access = access_role::viewer;
};

/// Makes the authority in `directory` (0700): `ca.crt` and `ca.key` (0600), and
/// the fleet's `signing.key` (0600) where it is missing. Refuses to overwrite
/// the first two.
status init(const std::filesystem::path& directory,
            days validity = authority_validity);

/// Issues a certificate by the authority in `authority`, into `into` (made
/// 0700 where it is missing): `<base>.crt`, `<base>.key` (0600) and
/// `ca.crt`, where base is "coordinator", "node-<host>" or "client-<name>".
/// Refuses to overwrite. A node also gets the fleet's `signing.key`. Returns
/// the three paths.
expected<tls_material> issue(const std::filesystem::path& authority,
                             const issue_request& what,
                             const std::filesystem::path& into);

/// What a certificate says.
struct certificate_info {
  /// The common name: "coordinator", "node:h1", "client:ann".
  std::string identity;
  std::string issuer;
  /// Until it expires; negative when it has.
  std::chrono::seconds left{0};
  bool serves = false;
  bool dials = false;
  std::string serial = {};
  /// Of a client.
  access_role access = access_role::none;
};

/// Reads a PEM certificate.
expected<certificate_info> inspect(const std::filesystem::path& certificate);

/// invalid_request unless the owner of the key's file alone can reach it.
status check_key_file(const std::string& path);

/// Whether the three files fit together and hold today: they can be read,
/// the key is the certificate's and nobody else can read it, the authority
/// issued it, none has expired or is not valid yet. Returns what the
/// certificate says.
expected<certificate_info> check(const tls_material& files);

} // namespace forkfleet::pki
