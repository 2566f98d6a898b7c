// SPDX-License-Identifier: Apache-2.0
// A snapshot's directory on its way from empty to sealed: its files are made
// and reserved before the pause, and completed after the resume. Knows
// nothing of tags. Knows no CAF.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "actors/signing_key.hpp"
#include "actors/unique_fd.hpp"
#include "node/snapshot_store.hpp"
#include "node/storage/diff_sink.hpp"
#include "node/storage/flat_sink.hpp"
#include "node/storage/manifest.hpp"
#include "node/storage/sealed_disks.hpp"

namespace forkfleet {

/// Where to stage: `<parent>/<name>`, on a file system of this name.
struct staging_place {
  std::string parent = {};
  std::string name = {};
  std::string file_system = {};
  std::shared_ptr<write_debt> debt = {};

  std::string directory() const { return parent + "/" + name; }
};

/// The base of a clone: its flat image and what vouches for that.
struct clone_base {
  std::string memory_path = {};
  std::vector<sha256> extents = {};
};

/// The open files of one snapshot in the making.
class disk_staging_area final : public staging_area {
public:
  memory_sink& memory() override;
  int vmstate_fd() const override { return vmstate.get(); }
  const reservation& reserved() const override;

  std::string directory = {};
  memory_form form = memory_form::flat;
  unique_fd memory_fd = {};
  unique_fd vmstate = {};
  unique_fd manifest = {};
  /// The one that the form has. They refer to `memory_fd`.
  std::unique_ptr<flat_sink> flat = {};
  std::unique_ptr<diff_sink> diff = {};
  std::vector<sha256> base_extents = {}; // of a clone
  std::vector<frozen_disk> disks = {};   // linked when it is completed
  layer_hashes* known_layers = nullptr;  // may be null
  signing_key_ptr key = {};              // may be null
  /// Without what a diff's sink has reserved.
  reservation numbers = {};

private:
  mutable reservation total_ = {};
};

using disk_staging_ptr = std::unique_ptr<disk_staging_area>;

/// All that a snapshot may take on the disk: memory, vmstate, manifest.
uint64_t needed_bytes(const staging_request& request);

/// "needs 10 bytes in PATH: 6 free, 4 missing", as disk_full.
staging_failure no_room(const staging_place& place, uint64_t needed,
                        uint64_t free);

/// Makes the directory and its three files and reserves them as the policy
/// says: memory.bin with its full size, memory.diff for what is expected, or
/// memory.bin as a clone of `base`. After an error nothing is left. A
/// directory of the same name that an earlier life left is replaced.
tl::expected<disk_staging_ptr, staging_failure>
make_staging(const staging_request& request, const staging_place& place,
             const clone_base& base = {});

/// Completes what is staged: cuts vmstate to its size, hashes, writes the
/// manifest, and syncs all of it. Adds sizes, hashes and the time to
/// `manifest`, and `words` beside it. A rename may follow.
expected<snapshot_manifest> complete_staging(disk_staging_area& files,
                                             snapshot_manifest manifest,
                                             const annotation& words = {});

/// Now, in Unix time.
microseconds sealing_time();

/// Writes and syncs `manifest.json` in `directory`, and syncs the directory:
/// the last steps before the rename.
status finish_directory(const std::string& directory,
                        const snapshot_manifest& manifest);

} // namespace forkfleet
