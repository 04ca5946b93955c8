//! What happens by itself after some time (contract sections 5 of ws-hub and webrtc),
//! through real sockets, a real hub and a clock that only a test moves.

mod clock;
mod fixture;
mod webrtc;
mod ws_hub;
