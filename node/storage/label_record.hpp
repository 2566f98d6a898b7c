// SPDX-License-Identifier: Apache-2.0
// labels.json: what people say of a snapshot, beside its manifest and no part
// of its identity. Replaced as a whole; not there when nothing is said. Knows
// no CAF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "actors/labels.hpp"

namespace forkfleet {

inline constexpr const char* label_file = "labels.json";

/// More than the longest record takes.
inline constexpr std::size_t label_record_bytes_max = 16u << 10;

/// Replaces the annotation of the snapshot in `directory`, durably.
status write_annotation(const std::string& directory,
                        const std::string& root_hash, const annotation& words);

/// What is said of it; nothing when there is no record. snapshot_corrupt when
/// the record is damaged or belongs to another snapshot.
expected<annotation> read_annotation(const std::string& directory,
                                     const std::string& root_hash);

/// The record as text, and back; `path` is for messages.
expected<std::string> annotation_text(const std::string& root_hash,
                                      const annotation& words);
expected<annotation> annotation_from_text(std::string_view text,
                                          const std::string& path,
                                          const std::string& root_hash);

} // namespace forkfleet
