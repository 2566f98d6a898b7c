// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "actors/link/access_list.hpp"
#include "actors/schema/nearest.hpp"
#include "actors/schema/units.hpp"
#include "config/check.hpp"

namespace forkfleet::config {

namespace {

constexpr std::size_t denied_max = 1000;
constexpr uint64_t audit_bytes_least = 64u << 10;
constexpr uint64_t audit_bytes_most = 1u << 30;
constexpr uint64_t audit_files_least = 2;
constexpr uint64_t audit_files_most = 100;

} // namespace

void check_access(checker& run) {
  const auto& x = run.fleet.access;
  if (x.denied.size() > denied_max)
    run.report("access.denied",
               fmt::format("{} entries are too many", x.denied.size()),
               fmt::format("at most {}", denied_max));
  for (std::size_t i = 0; i < x.denied.size(); ++i)
    if (!is_denial(x.denied[i]))
      run.report(fmt::format("access.denied[{}]", i),
                 fmt::format("{} names nobody", schema::in_quotes(x.denied[i])),
                 "client:NAME, node:NAME, token:NAME or serial:HEX");
  const auto bytes = x.audit_bytes.value;
  if (bytes < audit_bytes_least || bytes > audit_bytes_most)
    run.report("access.audit_bytes",
               fmt::format("must be {} to {}, not {}",
                           schema::format_bytes(audit_bytes_least),
                           schema::format_bytes(audit_bytes_most),
                           schema::format_bytes(bytes)));
  run.range("access.audit_files", x.audit_files, audit_files_least,
            audit_files_most);
}

} // namespace forkfleet::config
