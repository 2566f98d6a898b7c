// SPDX-License-Identifier: Apache-2.0
#include "node/storage/flat_record.hpp"

#include "actors/schema/json.hpp"

namespace forkfleet {

namespace {

std::string record_text(const flat_record& x) {
  return schema::dump(schema::to_json(x), 1) + "\n";
}

status check_record(const flat_record& x, std::string_view text,
                    const std::string& path, const snapshot_manifest& of) {
  const auto bad = [&path](const char* why) {
    return fail(ec::snapshot_corrupt, path + ": " + why);
  };
  if (x.format_version != 1)
    return bad("is of another format version");
  if (x.root_hash != of.root_hash || x.memory_bytes != of.memory_bytes)
    return bad("belongs to another snapshot");
  if (x.extent_bytes != hash_extent_bytes
      || x.extents.size() != extent_count(x.memory_bytes))
    return bad("does not have one hash for each extent");
  if (const auto hashes = from_hex(x.extents); !hashes)
    return bad("holds what is no hash");
  const auto wanted = flat_record_text(x);
  if (!wanted)
    return tl::unexpected<failure>(wanted.error());
  if (*wanted != text)
    return bad("is not what was written: its hash does not fit");
  return {};
}

} // namespace

expected<std::string> flat_record_text(flat_record x) {
  x.record_hash.clear();
  const auto text = record_text(x);
  const auto hash = hash_bytes(
    std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!hash)
    return tl::unexpected<failure>(hash.error());
  x.record_hash = to_hex(*hash);
  return record_text(x);
}

expected<flat_record> flat_record_from_text(std::string_view text,
                                            const std::string& path,
                                            const snapshot_manifest& of) {
  const auto value = schema::parse_json(text);
  if (!value)
    return fail(ec::snapshot_corrupt, path + ": " + value.error().message);
  auto result = schema::from_json<flat_record>(*value);
  if (!result)
    return fail(ec::snapshot_corrupt, path + ": " + result.error().message);
  if (auto good = check_record(*result, text, path, of); !good)
    return tl::unexpected<failure>(good.error());
  return result;
}

} // namespace forkfleet
