// SPDX-License-Identifier: Apache-2.0
#include "node/storage/manifest.hpp"

#include "actors/schema/json.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t hex_digits = 64;

tl::unexpected<failure> corrupt(const std::string& path, const std::string& why,
                                ec code = ec::snapshot_corrupt) {
  return fail(code, path + ": " + why);
}

/// Looked at before all else: the fields of another version are not ours.
status check_version(const schema::json& value, const std::string& path) {
  const auto* const found =
    value.is_object() && value.contains("format_version")
      ? &value["format_version"]
      : nullptr;
  if (found == nullptr || !found->is_number_unsigned())
    return corrupt(path, "is no snapshot's manifest");
  if (const auto version = found->get<uint64_t>(); version != manifest_version)
    return corrupt(path,
                   "is of format version " + std::to_string(version)
                     + "; this program reads version "
                     + std::to_string(manifest_version),
                   ec::unsupported);
  return {};
}

status check(const snapshot_manifest& x, const std::string& path) {
  if (!is_valid(x.tag) || !is_valid(x.operation) || !is_valid(x.source))
    return corrupt(path, "lacks a name");
  if (x.extent_bytes != hash_extent_bytes)
    return corrupt(path, "has extents of another size");
  if (x.extents.size() != extent_count(x.memory_bytes))
    return corrupt(path, "does not have one hash for each extent");
  const auto root = root_hash_of(x);
  if (!root)
    return corrupt(path, root.error().message, root.error().code);
  if (*root != x.root_hash)
    return corrupt(path, "the root hash does not fit the rest");
  return {};
}

} // namespace

std::string manifest_text(const snapshot_manifest& x) {
  return schema::dump(schema::to_json(x), 1) + "\n";
}

expected<snapshot_manifest> manifest_from_text(std::string_view text,
                                               const std::string& path) {
  const auto value = schema::parse_json(text);
  if (!value)
    return corrupt(path, value.error().message);
  if (auto version = check_version(*value, path); !version)
    return tl::unexpected<failure>(version.error());
  auto result = schema::from_json<snapshot_manifest>(*value);
  if (!result)
    return corrupt(path, result.error().message);
  if (auto good = check(*result, path); !good)
    return tl::unexpected<failure>(good.error());
  return result;
}

expected<std::vector<sha256>> extent_hashes(const snapshot_manifest& x) {
  std::vector<sha256> result;
  result.reserve(x.extents.size());
  for (const auto& text : x.extents) {
    const auto hash = from_hex(text);
    if (!hash)
      return fail(ec::snapshot_corrupt, "'" + text + "' is no hash");
    result.push_back(*hash);
  }
  return result;
}

expected<std::string> root_hash_of(const snapshot_manifest& x) {
  const auto extents = extent_hashes(x);
  if (!extents)
    return tl::unexpected<failure>(extents.error());
  const auto vmstate = from_hex(x.vmstate_hash);
  if (!vmstate)
    return fail(ec::snapshot_corrupt, "'" + x.vmstate_hash + "' is no hash");
  const auto root = root_hash({.memory_bytes = x.memory_bytes,
                               .extent_bytes = x.extent_bytes,
                               .extents = *extents,
                               .vmstate_bytes = x.vmstate_bytes,
                               .vmstate = *vmstate});
  if (!root)
    return tl::unexpected<failure>(root.error());
  return to_hex(*root);
}

uint64_t manifest_slack_bytes(uint64_t memory_bytes) {
  // A line of JSON for each extent, and room for the contract's arguments.
  constexpr uint64_t line = hex_digits + 8;
  constexpr uint64_t rest = 256u << 10;
  return rest + extent_count(memory_bytes) * line;
}

} // namespace forkfleet
