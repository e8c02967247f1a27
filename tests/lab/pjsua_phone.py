"""pjsua2 as a PBX: `python pjsua_phone.py ADDRESS DNS DOMAIN USER PASSWORD CONTROL_PORT`.

Needs pjsua2-python 2.15.1.post1, which the tests do not install: its packager says little of himself.

It answers each call after half a second, plays a tone, presses 1 2 3 in each call, and dials what a datagram says.
"""

import contextlib
import socket
import sys
import time
from typing import Any

import pjsua2 as pj  # type: ignore[import-not-found]

ADDRESS, DNS, DOMAIN, USER, PASSWORD, CONTROL = sys.argv[1:7]
NATIONAL = USER[3:]
_PRESSES_AFTER_S = 1.5


class Call(pj.Call):  # type: ignore[misc]
    pressed = False
    tone: Any = None

    def onCallMediaState(self, prm: Any) -> None:
        for number, media in enumerate(self.getInfo().media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                if self.tone is None:
                    self.tone = pj.ToneGenerator()
                    self.tone.createToneGenerator()
                    tones, tone = pj.ToneDescVector(), pj.ToneDesc()
                    tone.freq1, tone.on_msec, tone.off_msec = 440, 1000, 0
                    tones.append(tone)
                    self.tone.play(tones, True)
                self.tone.startTransmit(self.getAudioMedia(number))


class Account(pj.Account):  # type: ignore[misc]
    def onIncomingCall(self, prm: Any) -> None:
        call, answer = Call(self, prm.callId), pj.CallOpParam()
        CALLS.append(call)
        answer.statusCode = 180
        call.answer(answer)
        time.sleep(0.5)
        answer.statusCode = 200
        call.answer(answer)


CALLS: list[Call] = []


def main() -> None:
    endpoint, config = pj.Endpoint(), pj.EpConfig()
    endpoint.libCreate()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.uaConfig.nameserver.append(DNS)
    config.medConfig.noVad = True
    config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
    endpoint.libInit(config)
    endpoint.audDevManager().setNullDev()
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = 5060, ADDRESS
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    wanted = pj.AccountConfig()
    wanted.idUri = f"<sip:{USER}@{DOMAIN};user=phone>"
    wanted.regConfig.registrarUri = f"sip:{DOMAIN}"
    wanted.regConfig.timeoutSec = 300
    wanted.callConfig.timerUse, wanted.callConfig.timerSessExpiresSec = pj.PJSUA_SIP_TIMER_OPTIONAL, 900
    wanted.callConfig.prackUse = pj.PJSUA_100REL_OPTIONAL
    wanted.mediaConfig.transportConfig.boundAddress = ADDRESS
    wanted.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", USER, 0, PASSWORD))
    account = Account()
    account.create(wanted)
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    control.bind((ADDRESS, int(CONTROL)))
    control.setblocking(False)
    while True:
        endpoint.libHandleEvents(20)
        with contextlib.suppress(BlockingIOError):
            dial(account, control.recv(100).decode())
        for call in CALLS:
            info = call.getInfo() if call.isActive() else None
            if info is None or info.state != pj.PJSIP_INV_STATE_CONFIRMED:
                continue
            if not call.pressed and info.connectDuration.sec >= _PRESSES_AFTER_S:
                call.pressed = True
                call.dialDtmf("123")


def dial(account: Account, number: str) -> None:
    call, how, identity = Call(account), pj.CallOpParam(True), pj.SipHeader()
    CALLS.append(call)
    identity.hName, identity.hValue = "P-Preferred-Identity", f"<sip:{USER}@{DOMAIN};user=phone>"
    how.txOption.headers.append(identity)
    how.txOption.localUri = f"<sip:{NATIONAL}@{DOMAIN};user=phone>"
    call.makeCall(f"<sip:{number}@{DOMAIN};user=phone>", how)


if __name__ == "__main__":
    main()
