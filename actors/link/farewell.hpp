// SPDX-License-Identifier: Apache-2.0
// What a peer is told when its request ends the connection: one answer that
// says why, and what to do about it. Pure; knows no CAF.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "actors/error.hpp"
#include "actors/link/frame_check.hpp"

namespace forkfleet {

/// How long a refused peer has to read its answer, without a place.
inline constexpr std::chrono::milliseconds farewell_limit{1000};

/// So many peers at a time are told; who is refused beyond is not.
inline constexpr std::size_t farewells_max = 8;

/// Why a peer is refused for `fault`, in words that it may be shown; of bounded
/// length. `identity` is the name that its certificate or its door gives it.
failure refusal_of(frame_fault fault, std::string_view identity);

/// The one frame that answers the request `asked` with `why`.
std::string make_farewell(const frame_header& asked, const failure& why);

} // namespace forkfleet
