// SPDX-License-Identifier: Apache-2.0
#include "node/storage/label_record.hpp"

#include "actors/schema/json.hpp"
#include "node/storage/file.hpp"
#include "node/storage/hash.hpp"

namespace forkfleet {

namespace {

struct label_record {
  uint64_t format_version = 1;
  std::string root_hash = {};
  std::vector<std::string> labels = {};
  std::string note = {};
  std::string record_hash = {};

  static constexpr schema::about about{"label_record",
                                       "What people say of a snapshot."};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    using r = label_record;
    return std::tuple{
      field("format_version", &r::format_version, "Of this file; 1.", required),
      field("root_hash", &r::root_hash, "The snapshot that it belongs to.",
            required),
      field("labels", &r::labels, "KEY=VALUE each, in order of their keys."),
      field("note", &r::note, "One line of text."),
      field("record_hash", &r::record_hash,
            "SHA-256 of this text with nothing here.", required),
    };
  }
};

std::string plain_record(const label_record& x) {
  return schema::dump(schema::to_json(x), 1) + "\n";
}

} // namespace

expected<std::string> annotation_text(const std::string& root_hash,
                                      const annotation& words) {
  auto record = label_record{
    .root_hash = root_hash, .labels = words.labels, .note = words.note};
  const auto text = plain_record(record);
  const auto hash = hash_bytes(
    std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!hash)
    return tl::unexpected<failure>(hash.error());
  record.record_hash = to_hex(*hash);
  return plain_record(record);
}

expected<annotation> annotation_from_text(std::string_view text,
                                          const std::string& path,
                                          const std::string& root_hash) {
  const auto bad = [&path](const std::string& why) {
    return fail(ec::snapshot_corrupt,
                path + ": " + why
                  + "; the snapshot is whole, give it its labels again");
  };
  const auto value = schema::parse_json(text);
  if (!value)
    return bad(value.error().message);
  const auto record = schema::from_json<label_record>(*value);
  if (!record)
    return bad(record.error().message);
  if (record->format_version != 1)
    return bad("is of another format version");
  if (record->root_hash != root_hash)
    return bad("belongs to another snapshot");
  auto words = changed(
    {}, {.labels = record->labels, .has_note = true, .note = record->note});
  if (!words)
    return bad(words.error().message);
  const auto wanted = annotation_text(root_hash, *words);
  if (!wanted || *wanted != text)
    return bad("is not what was written: its hash does not fit");
  return words;
}

status write_annotation(const std::string& directory,
                        const std::string& root_hash, const annotation& words) {
  const auto text = annotation_text(root_hash, words);
  if (!text)
    return tl::unexpected<failure>(text.error());
  return write_durably(directory + "/" + label_file, *text);
}

expected<annotation> read_annotation(const std::string& directory,
                                     const std::string& root_hash) {
  const auto path = directory + "/" + label_file;
  if (look_for(path) == presence::absent)
    return annotation{};
  const auto text = read_small_file(path);
  if (!text)
    return fail(ec::snapshot_corrupt, text.error().message);
  return annotation_from_text(*text, path, root_hash);
}

} // namespace forkfleet
