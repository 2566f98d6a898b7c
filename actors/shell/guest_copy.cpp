// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/guest_copy.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/base64.hpp"
#include "actors/shell/clock.hpp"
#include "actors/shell/content_hash.hpp"
#include "actors/shell/local_file.hpp"
#include "actors/shell/sparse_file.hpp"

namespace forkfleet::shell {
namespace {

constexpr milliseconds short_limit{30'000};
/// For a guest to hash a file.
constexpr milliseconds hash_limit{1'800'000};

// $1 the wanted path, $2 a number, $3 the local name. Prints path and
// temporary name.
constexpr const char* prepare_script = R"sh(
p=$1
[ ! -d "$p" ] || p=${p%/}/$3
case $p in
  */ | */. | */..) echo "'$p' is no name for a file" >&2; exit 1 ;;
esac
command -v sha256sum >/dev/null 2>&1 ||
  { echo "the guest has no 'sha256sum' to check what arrives" >&2; exit 1; }
t=${p%/*}/.forkfleet-$2
umask 077
: >"$t" || exit 1
printf '%s\0%s' "$p" "$t"
)sh";

// $1 the temporary name, $2 the path, $3 the hash, $4 the mode.
constexpr const char* finish_script = R"sh(
h=$(sha256sum <"$1") || exit 1
[ "${h%% *}" = "$3" ] ||
  { echo "what arrived is not what was sent" >&2; exit 1; }
chmod "$4" "$1" && mv -f "$1" "$2"
)sh";

constexpr const char* drop_script = R"sh(rm -f "$1")sh";

// $1 the path. Prints its mode.
constexpr const char* look_script = R"sh(
[ -e "$1" ] || { echo "the guest has no '$1'" >&2; exit 1; }
[ ! -d "$1" ] || { echo "'$1' is a directory: give -r" >&2; exit 1; }
[ -f "$1" ] || { echo "'$1' is no regular file" >&2; exit 1; }
command -v sha256sum >/dev/null 2>&1 ||
  { echo "the guest has no 'sha256sum' to check what arrives" >&2; exit 1; }
stat -L -c %a "$1" 2>/dev/null || echo 644
)sh";

constexpr const char* hash_script = R"sh(sha256sum <"$1")sh";

status write_piece(guest_line& guest, const std::string& path, uint64_t offset,
                   const std::string& piece) {
  const auto written = guest.ask_file({.action = file_action::write,
                                       .path = path,
                                       .offset = offset,
                                       .content = to_base64(piece)});
  return written ? status{} : tl::unexpected{written.error()};
}

expected<copy_result> send_into(guest_line& guest, const local_file& file,
                                const std::string& temporary,
                                const std::string& path) {
  auto hash = content_hash{};
  const auto bytes = send_pieces(guest, file, temporary, hash);
  if (!bytes)
    return tl::unexpected{bytes.error()};
  auto result =
    copy_result{.bytes = *bytes, .path = path, .sha256 = hash.finish()};
  const auto finished = guest.run_script(
    finish_script,
    {temporary, path, result.sha256, fmt::format("{:o}", file.mode())},
    hash_limit);
  if (auto fine = succeeded(finished); !fine)
    return tl::unexpected{fine.error()};
  return result;
}

/// The most that is taken of one file: a guest's may have no end.
constexpr uint64_t fetch_bytes_max = uint64_t{256} << 30;

/// Fetches all of a guest's file; `take` takes it in pieces.
template <class Take>
expected<copy_result> fetch_pieces(guest_line& guest, const std::string& path,
                                   Take take) {
  auto hash = content_hash{};
  auto request = file_request{.action = file_action::read, .path = path};
  for (;;) {
    const auto piece = guest.ask_file(request);
    if (!piece)
      return tl::unexpected{piece.error()};
    const auto bytes = from_base64(piece->content).value_or("");
    if (bytes.empty() && !piece->has_ended)
      return fail(ec::vmm_refused, "the guest gives nothing more of '" + path
                                     + "', and not its end");
    if (request.offset + bytes.size() > fetch_bytes_max)
      return fail(ec::vmm_refused,
                  fmt::format("the guest's '{}' has more than {} bytes", path,
                              fetch_bytes_max));
    hash.add(bytes);
    if (auto fine = take(bytes); !fine)
      return tl::unexpected{fine.error()};
    request.offset += bytes.size();
    if (piece->has_ended)
      break;
  }
  auto result =
    copy_result{.bytes = request.offset, .path = path, .sha256 = hash.finish()};
  const auto theirs = guest.run_script(hash_script, {path}, hash_limit);
  if (auto fine = succeeded(theirs); !fine)
    return tl::unexpected{fine.error()};
  if (result.sha256.empty() || !theirs->output.starts_with(result.sha256 + " "))
    return fail(ec::io_failed, "'" + path
                                 + "' is not what arrived: it changed while "
                                   "it was read; try again");
  return result;
}

mode_t mode_of(const std::string& text) {
  auto mode = 0U;
  std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  return mode & 0777;
}

std::string base_name(const std::string& path) {
  const auto end = path.find_last_not_of('/');
  if (end == std::string::npos)
    return {};
  const auto slash = path.rfind('/', end);
  const auto begin = slash == std::string::npos ? 0 : slash + 1;
  return path.substr(begin, end + 1 - begin);
}

} // namespace

// What is nothing but zeros is not sent: the guest's file gets a hole there.
expected<uint64_t> send_pieces(guest_line& guest, const local_file& file,
                               const std::string& path, content_hash& hash) {
  auto offset = uint64_t{0};
  bool ends_in_hole = false;
  for (;;) {
    if (guest.is_stopped())
      return fail(ec::cancelled, "interrupted");
    const auto piece = file.read(guest_bytes_max);
    if (!piece)
      return tl::unexpected{piece.error()};
    if (piece->empty())
      break;
    hash.add(*piece);
    ends_in_hole = is_zero(*piece);
    if (!ends_in_hole)
      if (auto sent = write_piece(guest, path, offset, *piece); !sent)
        return tl::unexpected{sent.error()};
    offset += piece->size();
  }
  // Its last byte gives it its size.
  if (ends_in_hole)
    if (auto sent = write_piece(guest, path, offset - 1, std::string(1, '\0'));
        !sent)
      return tl::unexpected{sent.error()};
  return offset;
}

copy_place parse_place(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos || colon == 0 || text.find('/') < colon)
    return {.path = text};
  return {.sandbox = text.substr(0, colon), .path = text.substr(colon + 1)};
}

expected<copy_result> send_file(guest_line& guest, const std::string& from,
                                const std::string& to) {
  const auto file = local_file::open(from);
  if (!file)
    return tl::unexpected{file.error()};
  const auto name = from == "-" ? std::string{} : base_name(from);
  const auto prepared = guest.run_script(
    prepare_script, {to, new_operation_id().value, name}, short_limit);
  if (auto fine = succeeded(prepared); !fine)
    return tl::unexpected{fine.error()};
  const auto split = prepared->output.find('\0');
  if (split == std::string::npos)
    return fail(ec::vmm_refused, "the guest did not say where the file goes");
  const auto temporary = prepared->output.substr(split + 1);
  auto result =
    send_into(guest, *file, temporary, prepared->output.substr(0, split));
  if (!result) {
    guest.tidy_up();
    static_cast<void>(
      guest.run_script(drop_script, {temporary}, short_limit).has_value());
  }
  return result;
}

expected<copy_result> fetch_file(guest_line& guest, const std::string& from,
                                 const std::string& to, std::ostream& out) {
  const auto known = guest.run_script(look_script, {from}, short_limit);
  if (auto fine = succeeded(known); !fine)
    return tl::unexpected{fine.error()};
  if (to == "-")
    return fetch_pieces(guest, from, [&out](const std::string& bytes) {
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      out.flush();
      return out ? status{}
                 : fail(ec::io_failed, "the output cannot be written");
    });
  auto file = unfinished_file::create(to, base_name(from));
  if (!file)
    return tl::unexpected{file.error()};
  auto result = fetch_pieces(guest, from, [&file](const std::string& bytes) {
    return file->write(bytes);
  });
  if (!result)
    return result;
  if (auto kept = file->finish(mode_of(known->output)); !kept)
    return tl::unexpected{kept.error()};
  result->path = file->path();
  return result;
}

} // namespace forkfleet::shell
