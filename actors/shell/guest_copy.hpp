// SPDX-License-Identifier: Apache-2.0
// Copies between here and a guest. What arrives lies under a name of its own
// until its hash is that of what was sent.
#pragma once

#include <ostream>
#include <string>

#include "actors/shell/content_hash.hpp"
#include "actors/shell/guest_line.hpp"
#include "actors/shell/local_file.hpp"

namespace forkfleet::shell {

/// One side of a copy.
struct copy_place {
  std::string sandbox = {}; // empty: here
  std::string path = {};

  bool is_in_guest() const { return !sandbox.empty(); }
};

/// "NAME:PATH" is in a guest; all else is here, as is "./NAME:PATH". Pure.
copy_place parse_place(const std::string& text);

/// What a copy came to.
struct copy_result {
  uint64_t bytes = 0;
  std::string path = {};
  std::string sha256 = {}; // of a file
  /// What of a directory has no place on the other side: how many, and the
  /// first few with the reason.
  uint64_t left_out = 0;
  std::vector<std::string> examples = {};
};

/// The local file `from`, or stdin for "-", as `to` in the guest, or into it
/// where it is a directory. Keeps the plain bits of the mode; replaces a file.
expected<copy_result> send_file(guest_line& guest, const std::string& from,
                                const std::string& to);

/// The guest's file `from` as the local file `to`, or into it where it is a
/// directory, or to `out` for "-". It is the caller's, with what the umask
/// leaves of its plain mode.
expected<copy_result> fetch_file(guest_line& guest, const std::string& from,
                                 const std::string& to, std::ostream& out);

/// All of a local file into a file that the guest has made for it, without its
/// zeros; `hash` takes what is read. How long it is.
expected<uint64_t> send_pieces(guest_line& guest, const local_file& file,
                               const std::string& path, content_hash& hash);

/// The same for a whole directory, by the guest's tar; replaces nothing, and
/// makes nothing but files, directories and links.
expected<copy_result> send_directory(guest_line& guest, const std::string& from,
                                     const std::string& to);
expected<copy_result> fetch_directory(guest_line& guest,
                                      const std::string& from,
                                      const std::string& to);

} // namespace forkfleet::shell
