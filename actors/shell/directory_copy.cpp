// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actors/bounded_text.hpp"
#include "actors/shell/archive_pack.hpp"
#include "actors/shell/archive_unpack.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/guest_copy.hpp"
#include "actors/shell/local_file.hpp"

namespace forkfleet::shell {
namespace {

namespace fs = std::filesystem;

constexpr milliseconds tar_limit{1'800'000};
constexpr std::size_t tar_words_max = 4096;
constexpr auto limits = unpack_limits{};

// $1 the wanted path, $2 the local name, $3 a number. Prints the path, and a
// directory beside it.
constexpr const char* directory_place_script = R"sh(
command -v tar >/dev/null 2>&1 ||
  { echo "the guest has no 'tar', which -r needs" >&2; exit 1; }
p=${1%/}
[ ! -d "$p/" ] || p=$p/$2
[ ! -e "$p" ] || { echo "'$p' is there already" >&2; exit 1; }
s=${p%/*}/.forkfleet-$3
umask 077
mkdir "$s" && : >"$s/tar" || exit 1
printf '%s\0%s' "$p" "$s"
)sh";

// $1 the directory beside. What is made is root's, and can be written by it.
constexpr const char* unpack_script = R"sh(
mkdir "$1/new" && tar -xf "$1/tar" -C "$1/new" && rm -f "$1/tar"
)sh";

// $1 the directory beside, $2 the name in the archive, $3 the path.
constexpr const char* place_script = R"sh(
[ ! -e "$3" ] || { echo "'$3' is there already" >&2; exit 1; }
mv "$1/new/$2" "$3"
)sh";

constexpr const char* drop_directory_script = R"sh(rm -rf "$1")sh";

constexpr const char* directory_look_script = R"sh(
command -v tar >/dev/null 2>&1 ||
  { echo "the guest has no 'tar', which -r needs" >&2; exit 1; }
[ -d "$1" ] || { echo "the guest has no directory '$1'" >&2; exit 1; }
case $(tar --version 2>/dev/null) in *GNU*) echo holes ;; esac
if command -v gzip >/dev/null 2>&1; then echo gzip; fi
)sh";

// $1 the directory above, $2 the name in it, $3 the words for tar. Ends as tar
// does. What was made small goes faster, and holes above all.
constexpr const char* plain_script = R"sh(exec tar -C "$1" "$3" - "$2")sh";
constexpr const char* gzip_script = R"sh(
exec 4>&1
code=$({ { tar -C "$1" "$3" - "$2" 3>&- 4>&-; echo $? >&3; } |
  gzip -1 >&4; } 3>&1)
exit "${code:-1}"
)sh";

/// A directory of ours that goes with all that is in it.
class scratch_place {
public:
  static expected<scratch_place> make(const fs::path& where) {
    const auto path = where / (".forkfleet-" + new_operation_id().value);
    auto error = std::error_code{};
    if (!fs::create_directory(path, error) || error)
      return fail(ec::invalid_request, path.string() + ": " + error.message());
    fs::permissions(path, fs::perms::owner_all, error);
    return scratch_place{path};
  }
  ~scratch_place() {
    auto ignored = std::error_code{};
    if (!path_.empty())
      fs::remove_all(path_, ignored);
  }
  scratch_place(scratch_place&& other) noexcept
    : path_{std::exchange(other.path_, {})} {}
  scratch_place& operator=(scratch_place&&) = delete;

  const fs::path& path() const { return path_; }

private:
  explicit scratch_place(fs::path path) : path_{std::move(path)} {}

  fs::path path_;
};

std::string last_name(const std::string& path) {
  auto text = path;
  while (text.size() > 1 && text.ends_with('/'))
    text.pop_back();
  return fs::path{text}.filename().string();
}

status check_name(const std::string& name, const std::string& path) {
  if (name.empty() || name == "." || name == ".." || name == "/")
    return fail(ec::invalid_request,
                "'" + path + "' has no name of its own; name the directory");
  return {};
}

/// What tar in the guest makes of a directory, as a file here.
expected<uint64_t> fetch_archive(guest_line& guest, const std::string& parent,
                                 const std::string& name,
                                 const std::string& path,
                                 const std::string& abilities) {
  auto archive = unfinished_file::create(path, {});
  if (!archive)
    return tl::unexpected{archive.error()};
  auto bytes = uint64_t{0};
  auto words = std::string{};
  const auto can = [&abilities](std::string_view what) {
    return abilities.find(what) != std::string::npos;
  };
  const auto end = guest.run(
    {.arguments = {"/bin/sh", "-c", can("gzip") ? gzip_script : plain_script,
                   "sh", parent, name, can("holes") ? "-Scf" : "-cf"},
     .limit = tar_limit},
    {[&](std::string_view piece) {
       bytes += piece.size();
       return bytes <= limits.bytes_max && archive->write(piece).has_value();
     },
     [&words](std::string_view piece) {
       words.append(piece.substr(0, tar_words_max
                                      - std::min(tar_words_max, words.size())));
       return true;
     }});
  if (bytes > limits.bytes_max)
    return fail(ec::vmm_refused,
                fmt::format("the guest's archive has more than {} bytes",
                            limits.bytes_max));
  if (!end)
    return tl::unexpected{end.error()};
  if (end->was_stopped)
    return fail(ec::cancelled, "interrupted");
  if (end->status != 0 || end->is_still_printing)
    return fail(ec::vmm_refused,
                fmt::format("tar in the guest ended with {}: {}", end->status,
                            bounded_text(words)));
  if (auto kept = archive->finish(0600); !kept)
    return tl::unexpected{kept.error()};
  return bytes;
}

/// The content of a file that lies in the guest already, empty.
status fill(guest_line& guest, const sparse_entry& x,
            const std::string& place) {
  const auto file = local_file::open(x.path);
  if (!file)
    return tl::unexpected{file.error()};
  auto ignored = content_hash{};
  const auto path = fmt::format("{}/{}", place, fmt::join(x.parts, "/"));
  const auto sent = send_pieces(guest, *file, path, ignored);
  return sent ? status{} : tl::unexpected{sent.error()};
}

/// Sends an archive to its place in the guest, and has it unpacked there.
status send_archive(guest_line& guest, const std::string& archive,
                    const packed& what, const std::string& beside,
                    const std::pair<std::string, std::string>& name_and_path) {
  if (auto sent = send_file(guest, archive, beside + "/tar"); !sent)
    return tl::unexpected{sent.error()};
  if (auto done =
        succeeded(guest.run_script(unpack_script, {beside}, tar_limit));
      !done)
    return done;
  for (const auto& each : what.sparse)
    if (auto done = fill(guest, each, beside + "/new"); !done)
      return done;
  const auto& [name, path] = name_and_path;
  return succeeded(
    guest.run_script(place_script, {beside, name, path}, tar_limit));
}

} // namespace

expected<copy_result> send_directory(guest_line& guest, const std::string& from,
                                     const std::string& to) {
  auto ignored = std::error_code{};
  if (!fs::is_directory(from, ignored))
    return fail(ec::invalid_request, from + " is no directory");
  const auto name = last_name(from);
  if (auto fine = check_name(name, from); !fine)
    return tl::unexpected{fine.error()};
  const auto place = scratch_place::make(fs::temp_directory_path(ignored));
  if (!place)
    return tl::unexpected{place.error()};
  const auto archive = (place->path() / "tar").string();
  const auto what =
    pack(from, name, archive, [&guest] { return guest.is_stopped(); });
  if (!what)
    return tl::unexpected{what.error()};
  const auto prepared = guest.run_script(
    directory_place_script, {to, name, new_operation_id().value}, tar_limit);
  if (auto fine = succeeded(prepared); !fine)
    return tl::unexpected{fine.error()};
  const auto split = prepared->output.find('\0');
  if (split == std::string::npos)
    return fail(ec::vmm_refused, "the guest did not say where it goes");
  const auto path = prepared->output.substr(0, split);
  const auto beside = prepared->output.substr(split + 1);
  const auto sent = send_archive(guest, archive, *what, beside, {name, path});
  guest.tidy_up();
  static_cast<void>(
    guest.run_script(drop_directory_script, {beside}, tar_limit).has_value());
  if (!sent)
    return tl::unexpected{sent.error()};
  return copy_result{.bytes = what->bytes,
                     .path = path,
                     .left_out = what->left_out,
                     .examples = what->examples};
}

expected<copy_result> fetch_directory(guest_line& guest,
                                      const std::string& from,
                                      const std::string& to) {
  const auto name = last_name(from);
  if (auto fine = check_name(name, from); !fine)
    return tl::unexpected{fine.error()};
  const auto target = target_path(to, name);
  auto error = std::error_code{};
  if (fs::exists(target, error))
    return fail(ec::invalid_request, target + " is there already");
  const auto known = guest.run_script(directory_look_script, {from}, tar_limit);
  if (auto fine = succeeded(known); !fine)
    return tl::unexpected{fine.error()};
  const auto place =
    scratch_place::make(fs::absolute(target, error).parent_path());
  if (!place)
    return tl::unexpected{place.error()};
  const auto archive = (place->path() / "tar").string();
  const auto bytes = fetch_archive(guest, from.substr(0, from.rfind(name)),
                                   "./" + name, archive, known->output);
  if (!bytes)
    return tl::unexpected{bytes.error()};
  const auto what = unpack(archive, name, place->path().string(), limits,
                           [&guest] { return guest.is_stopped(); });
  if (!what)
    return tl::unexpected{what.error()};
  if (auto given = give_modes(*what, place->path().string()); !given)
    return tl::unexpected{given.error()};
  fs::rename(place->path() / name, target, error);
  if (error)
    return fail(ec::io_failed, target + ": " + error.message());
  if (auto given = give_root_mode(*what, target); !given)
    return tl::unexpected{given.error()};
  return copy_result{.bytes = *bytes,
                     .path = target,
                     .left_out = what->left_out,
                     .examples = what->examples};
}

} // namespace forkfleet::shell
