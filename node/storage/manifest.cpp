// SPDX-License-Identifier: Apache-2.0
#include "node/storage/manifest.hpp"

#include "actors/schema/json.hpp"
#include "node/storage/manifest_limits.hpp"

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
  const auto version = found->get<uint64_t>();
  if (version < manifest_version_min || version > manifest_version)
    return corrupt(path,
                   "is of format version " + std::to_string(version)
                     + "; this program reads versions "
                     + std::to_string(manifest_version_min) + " to "
                     + std::to_string(manifest_version),
                   ec::unsupported);
  return {};
}

status check_form(const snapshot_manifest& x, const std::string& path) {
  const bool is_diff = x.form == sealed_form::diff;
  if (is_diff != !x.base.value.empty() || is_diff != !x.base_hash.empty()
      || is_diff != !x.runs_hash.empty()
      || (!is_diff && (x.data_bytes != 0 || x.runs != 0))
      || (is_diff && x.format_version < 2))
    return corrupt(path, "names a base without being a diff, or lacks one");
  if (is_diff && !is_valid(x.base))
    return corrupt(path, "lacks the name of its base");
  const auto hashed = is_diff ? x.data_bytes : x.memory_bytes;
  if (x.extents.size() != extent_count(hashed))
    return corrupt(path, "does not have one hash for each extent");
  return {};
}

bool is_older(const snapshot_manifest& x) {
  return x.format_version < manifest_version;
}

/// What it says beside the oldest fields fits its version.
status check_parts(const snapshot_manifest& x, const std::string& path) {
  const auto least = least_version_of(x);
  if (!is_older(x) || x.format_version == least
      || (x.format_version == manifest_version_min
          && least == manifest_version_diffs))
    return {};
  return corrupt(path, "has disks or limits in a version without, or lacks "
                       "them");
}

status check(const snapshot_manifest& x, const std::string& path) {
  if (!is_valid(x.tag) || !is_valid(x.operation) || !is_valid(x.source))
    return corrupt(path, "lacks a name");
  if (x.extent_bytes != hash_extent_bytes)
    return corrupt(path, "has extents of another size");
  if (auto good = check_form(x, path); !good)
    return good;
  if (auto good = check_parts(x, path); !good)
    return good;
  if (const auto why = broken_limit(x); !why.empty())
    return corrupt(path, why);
  const auto root = root_hash_of(x);
  if (!root)
    return corrupt(path, root.error().message, root.error().code);
  if (*root != x.root_hash)
    return corrupt(path, "the root hash does not fit the rest");
  return {};
}

std::string plain_text(const snapshot_manifest& x) {
  auto value = schema::to_json(x);
  if (x.disks.empty())
    value.erase("disks");
  if (x.limits.empty())
    value.erase("limits");
  if (is_older(x)) {
    value["contract"].erase("files");
    for (const auto* const name :
         {"origin", "sequence", "signed_by", "signature"})
      value.erase(name);
  }
  return schema::dump(value, 1) + "\n";
}

/// Nothing but what we would write: so every byte is covered.
status check_text(const snapshot_manifest& x, std::string_view text,
                  const std::string& path) {
  if (x.format_version < 2)
    return {};
  const auto wanted = manifest_text(x);
  if (!wanted)
    return tl::unexpected<failure>(wanted.error());
  if (*wanted != text)
    return corrupt(path, "is not what was written: its hash does not fit");
  return {};
}

expected<sha256> decode(const std::string& text) {
  const auto hash = from_hex(std::string_view{text});
  if (!hash)
    return fail(ec::snapshot_corrupt, "'" + text + "' is no hash");
  return *hash;
}

/// With disks they are part of what the root hash names.
expected<sha256> with_disks(const sha256& root, const snapshot_manifest& x) {
  if (x.disks.empty())
    return root;
  auto text = std::string{"forkfleet disks 1\n"} + to_hex(root) + "\n";
  for (const auto& disk : x.disks) {
    text += disk.name + " " + std::to_string(disk.bytes) + "\n";
    for (const auto& layer : disk.layers)
      text += std::to_string(layer.bytes) + " " + layer.hash + "\n";
  }
  return hash_bytes(
    std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

/// From version 5 on, what a snapshot would run is as much part of its
/// identity as what it holds.
expected<sha256> with_contract(const sha256& root, const snapshot_manifest& x) {
  if (is_older(x))
    return root;
  const schema::json rest{{"source", x.source.value},
                          {"operation", x.operation.value},
                          {"mode", schema::name_of(x.mode)},
                          {"contract", schema::to_json(x.contract)},
                          {"limits", schema::to_json(x.limits)}};
  const auto text =
    "forkfleet root 5\n" + to_hex(root) + "\n" + schema::dump(rest, -1);
  return hash_bytes(
    std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

expected<sha256> diff_root_of(const snapshot_manifest& x,
                              std::span<const sha256> extents,
                              const sha256& vmstate) {
  const auto base = decode(x.base_hash);
  const auto runs = decode(x.runs_hash);
  if (!base || !runs)
    return tl::unexpected<failure>(base ? runs.error() : base.error());
  return diff_root_hash({.memory_bytes = x.memory_bytes,
                         .base = *base,
                         .runs = *runs,
                         .extent_bytes = x.extent_bytes,
                         .extents = extents,
                         .vmstate_bytes = x.vmstate_bytes,
                         .vmstate = vmstate});
}

} // namespace

uint64_t least_version_of(const snapshot_manifest& x) {
  if (!x.limits.empty())
    return manifest_version_limits;
  return x.disks.empty() ? manifest_version_diffs : manifest_version_disks;
}

expected<std::string> manifest_text(snapshot_manifest x) {
  x.manifest_hash.clear();
  const auto text = plain_text(x);
  const auto hash = hash_bytes(
    std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!hash)
    return tl::unexpected<failure>(hash.error());
  x.manifest_hash = to_hex(*hash);
  return plain_text(x);
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
  auto good = check(*result, path);
  if (good)
    good = check_text(*result, text, path);
  if (!good)
    return tl::unexpected<failure>(good.error());
  return result;
}

expected<std::vector<sha256>> from_hex(const std::vector<std::string>& texts) {
  std::vector<sha256> result;
  result.reserve(texts.size());
  for (const auto& text : texts) {
    const auto hash = decode(text);
    if (!hash)
      return tl::unexpected<failure>(hash.error());
    result.push_back(*hash);
  }
  return result;
}

std::vector<std::string> to_hex(const std::vector<sha256>& hashes) {
  std::vector<std::string> result;
  result.reserve(hashes.size());
  for (const auto& hash : hashes)
    result.push_back(to_hex(hash));
  return result;
}

expected<std::string> root_hash_of(const snapshot_manifest& x) {
  const auto extents = from_hex(x.extents);
  if (!extents)
    return tl::unexpected<failure>(extents.error());
  const auto vmstate = decode(x.vmstate_hash);
  if (!vmstate)
    return tl::unexpected<failure>(vmstate.error());
  const auto root = x.form == sealed_form::diff
                      ? diff_root_of(x, *extents, *vmstate)
                      : root_hash({.memory_bytes = x.memory_bytes,
                                   .extent_bytes = x.extent_bytes,
                                   .extents = *extents,
                                   .vmstate_bytes = x.vmstate_bytes,
                                   .vmstate = *vmstate});
  if (!root)
    return tl::unexpected<failure>(root.error());
  auto result = with_disks(*root, x);
  if (result)
    result = with_contract(*result, x);
  if (!result)
    return tl::unexpected<failure>(result.error());
  return to_hex(*result);
}

uint64_t manifest_slack_bytes(uint64_t memory_bytes) {
  // A line of JSON for each extent, and room for the contract's arguments.
  constexpr uint64_t line = hex_digits + 8;
  constexpr uint64_t rest = 256u << 10;
  return rest + extent_count(memory_bytes) * line;
}

} // namespace forkfleet
