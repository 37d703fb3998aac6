// pm2 start fixed/ecosystem.config.js
// gunicorn makes the workers here, not pm2: of what omp-magic env wrote, env alone is taken.
const { env } = require("./omp-magic.config.js").apps[0];

module.exports = {
  apps: [
    {
      name: "small-server",
      cwd: `${__dirname}/..`,
      script: "gunicorn",
      args: "--workers 2 --bind 127.0.0.1:8000 wsgi:app",
      interpreter: "none",
      env,
    },
  ],
};
