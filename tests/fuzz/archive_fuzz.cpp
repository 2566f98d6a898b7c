// SPDX-License-Identifier: Apache-2.0
// A whole archive of a stranger: what an import does up to its first write.
#include "node/storage/archive_reader.hpp"
#include "node/storage/manifest.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet;

FORKFLEET_FUZZ(archive) {
  const auto archive = archive_reader::of_bytes(bytes, "fuzz");
  if (!archive)
    return;
  constexpr uint64_t text_bytes_max = 1u << 20;
  constexpr uint64_t memory_bytes_max = 64u << 20;
  auto& reader = **archive;
  if (!reader.next(manifest_file, text_bytes_max))
    return;
  const auto text = reader.read_text();
  if (!text)
    return;
  test::promise(text->size() <= text_bytes_max);
  static_cast<void>(manifest_from_text(*text, "fuzz"));
  for (const auto* const name : {vmstate_file, memory_file}) {
    const auto header = reader.next(name, memory_bytes_max);
    if (!header)
      return;
    uint64_t end = 0;
    const auto read =
      reader.read([&](uint64_t at, std::span<const uint8_t> piece) -> status {
        // Upwards, and never beyond what the header says.
        test::promise(at >= end && at + piece.size() <= header->bytes);
        end = at + piece.size();
        return {};
      });
    if (!read)
      return;
  }
  static_cast<void>(reader.end());
}
