// SPDX-License-Identifier: Apache-2.0
// manifest.json, and the records beside it, of a stranger's archive.
#include "node/storage/flat_record.hpp"
#include "node/storage/label_record.hpp"
#include "node/storage/manifest.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace forkfleet;

FORKFLEET_FUZZ(manifest) {
  const auto text = test::text_of(bytes);
  const auto found = manifest_from_text(text, "fuzz");
  if (found) {
    // What is believed is what we would have written.
    const auto again = manifest_text(*found);
    test::promise(again.has_value());
    test::promise(found->format_version < 2 || *again == text);
  }
  static_cast<void>(
    flat_record_from_text(text, "fuzz", found ? *found : snapshot_manifest{}));
  static_cast<void>(
    annotation_from_text(text, "fuzz", found ? found->root_hash : ""));
}
