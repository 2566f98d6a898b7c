// SPDX-License-Identifier: Apache-2.0
#include "coordinator/doors.hpp"

#include <filesystem>

#include "actors/link/token_proof.hpp"
#include "actors/pki.hpp"

namespace forkfleet {

namespace {

tls_material certificates(const config::fleet_file& fleet) {
  const auto& tls = fleet.coordinator.tls;
  return {tls.authority, tls.certificate, tls.key, {}};
}

} // namespace

std::vector<coordinator_door> doors_of(const config::fleet_file& fleet) {
  const auto& listen = fleet.coordinator.listen;
  const auto port = link_endpoint{listen.host, listen.port, {}};
  if (config::has_certificates(fleet))
    return {{port, certificates(fleet)}};
  auto result = std::vector<coordinator_door>{
    {{.host = {}, .port = 0, .socket = config::local_door(fleet)}, {}}};
  if (!listen.empty())
    result.push_back({port, {.token = config::token_directory(fleet)}});
  return result;
}

status prepare_doors(const config::fleet_file& fleet) {
  if (config::has_certificates(fleet)) {
    const auto fine = pki::check(certificates(fleet));
    return fine ? status{} : tl::unexpected{fine.error()};
  }
  const auto tokens = config::token_directory(fleet);
  auto error = std::error_code{};
  if (std::filesystem::exists(token_path(tokens, config::owner_token), error))
    return {};
  const auto made = make_token(tokens, config::owner_token, access_role::admin);
  return made ? status{} : tl::unexpected{made.error()};
}

} // namespace forkfleet
