/** Shell that prints the services which have failed, one a line, in the words of the init that runs: systemd, or OpenRC. */
export const FAILED_SERVICES = `
if [ -d /run/systemd/system ]
then systemctl list-units --state=failed --plain --no-legend | awk '{ print $1 }'
else rc-status --crashed | awk '{ print $1 }'
fi
`;
